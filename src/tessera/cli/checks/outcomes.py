"""The outcome of one check of an installation."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How serious an outcome is; only a failure makes `tessera doctor` exit with status 1."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check has found, and what to do about it, if it is not ok."""

    check: str
    level: Level
    finding: str
    remedy: str | None = None


def assess(check: str, is_fine: bool, finding: str, *, remedy: str, level: Level = Level.FAILURE) -> Outcome:  # noqa: FBT001
    """The outcome of a check: ok if `is_fine`, and otherwise this level with this remedy."""
    return Outcome(check, Level.OK, finding) if is_fine else Outcome(check, level, finding, remedy)


def names(found: Iterable[object]) -> str:
    """Names of things for a finding; `none` if there are none."""
    return ", ".join(map(str, found)) or "none"
