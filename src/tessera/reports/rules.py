"""The dimensions and periods of reports, and the time at which a day is closed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from tessera.kit.errors import Violation

DEFAULT_DAYS = 30
# The time after midnight within which a redemption of the previous day may still commit. The idle timeout of
# transactions is a sixth of this time, and clocks of machines differ by less.
GRACE = timedelta(hours=1)


class Dimension(StrEnum):
    """A grouping of redemptions; bundles count among the exams, and promo codes have no partner."""

    DAY = "day"
    CODE = "code"
    CAMPAIGN = "campaign"
    STORE_EXAM = "storeExam"
    PARTNER = "partner"


@dataclass(frozen=True, slots=True)
class Period:
    """The UTC days from `first` (inclusive) to `end` (exclusive)."""

    first: date
    end: date


def period(first: date | None, end: date | None, *, now: datetime) -> Period:
    """The days of a report; without `end` they include today, and without `first` they are the last 30."""
    end = end or min(today(now), date.max - timedelta(days=1)) + timedelta(days=1)
    earliest = date.min + timedelta(days=DEFAULT_DAYS)
    return Period(first or max(end, earliest) - timedelta(days=DEFAULT_DAYS), end)


def period_violations(period: Period) -> Iterator[Violation]:
    """A violation if the period contains no day."""
    if period.first >= period.end:
        yield Violation("NotAfterFrom", "until", f"must be after from, which is {period.first}")


def closed_until(now: datetime) -> date:
    """The first UTC day that may still get redemptions; all days before it are closed."""
    return today(now - GRACE)


def today(now: datetime) -> date:
    """The UTC day at `now`."""
    return now.astimezone(UTC).date()
