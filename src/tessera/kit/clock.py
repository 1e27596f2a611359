"""The clock, which composition roots hand to whoever needs the time."""

from datetime import UTC, datetime


def clock() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)
