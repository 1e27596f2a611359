"""The clock, which composition roots pass to the code that needs the time."""

from datetime import UTC, datetime


def clock() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)
