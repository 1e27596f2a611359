"""The rules of voucher partners."""

from collections.abc import Iterator
from dataclasses import dataclass

from tessera.identity.rules import name_violations
from tessera.kit.errors import Violation
from tessera.kit.normalization import store_names


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerDraft:
    """A partner to create or rename; a field that could not be parsed is None and listed in `parse_violations`."""

    name: str | None = None
    is_active: bool | None = None
    parse_violations: tuple[Violation, ...] = ()

    def __post_init__(self) -> None:
        store_names(self, "name")


def violations(draft: PartnerDraft) -> Iterator[Violation]:
    """The violations of a draft that need no query."""
    yield from draft.parse_violations
    if draft.name is not None:
        yield from name_violations("name", draft.name)
