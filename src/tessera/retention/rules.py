"""The periods for which an organization keeps data."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from tessera.kit.errors import Violation

MAX_DAYS = 3_660
MAX_MONTHS = 120
# Months of 31 days, so that nothing goes earlier than a calendar says.
MONTH = timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """The periods after which data goes; None keeps it."""

    candidates_after_days: int | None = None
    tokens_after_days: int | None = None
    audit_after_months: int | None = None
    redemptions_after_months: int | None = None
    failed_jobs_after_days: int | None = None

    def before(self, name: str, *, now: datetime) -> datetime | None:
        """The time before which the data of this period goes, if it goes at all."""
        number: int | None = getattr(self, name)
        unit = MONTH if name.endswith("months") else timedelta(days=1)
        return None if number is None else now - number * unit


FIELDS = tuple(field.name for field in fields(Retention))


def maximum(name: str) -> int:
    """The longest period of this setting, in its unit."""
    return MAX_MONTHS if name.endswith("months") else MAX_DAYS


def violations(retention: Retention) -> Iterator[Violation]:
    """A violation for each period that is out of range."""
    for name in FIELDS:
        number = getattr(retention, name)
        if number is not None and not 1 <= number <= maximum(name):
            yield Violation("PeriodRange", name, f"must be an integer from 1 to {maximum(name):,}, or null")
