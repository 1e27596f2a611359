"""What reports are about: by what redemptions are summed up, over which days, and when a day is over."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from tessera.kit.errors import Violation

DEFAULT_DAYS = 30
# How long after midnight a redemption of the day before may still be committed. Sessions end transactions that idle for
# a sixth of it, and clocks of several machines differ by less.
GRACE = timedelta(hours=1)


class Dimension(StrEnum):
    """By what redemptions are summed up; a bundle counts among the exams, and promo codes have no partner."""

    DAY = "day"
    CODE = "code"
    STORE_EXAM = "storeExam"
    PARTNER = "partner"


@dataclass(frozen=True, slots=True)
class Period:
    """The days, UTC, from `first` until before `end`."""

    first: date
    end: date


def period(first: date | None, end: date | None, *, now: datetime) -> Period:
    """The days that are asked for; without an end they include today, without a beginning they are 30."""
    last = end or min(_today(now), date.max - timedelta(days=1)) + timedelta(days=1)
    earliest = date.min + timedelta(days=DEFAULT_DAYS)
    return Period(first or max(last, earliest) - timedelta(days=DEFAULT_DAYS), last)


def period_violations(asked: Period) -> Iterator[Violation]:
    """What is wrong with the days."""
    if asked.first >= asked.end:
        yield Violation("NotAfterFrom", "until", f"must be after from, which is {asked.first}")


def closed_until(now: datetime) -> date:
    """The first day, UTC, of which there may be redemptions yet to come: all before it are over."""
    return _today(now - GRACE)


def _today(now: datetime) -> date:
    return now.astimezone(UTC).date()
