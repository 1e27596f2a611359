from datetime import UTC, date, datetime

import pytest

from tessera.reports.rules import Period, closed_until, period, period_violations

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
FIRST, END = date(2026, 6, 1), date(2026, 6, 11)


@pytest.mark.parametrize(
    ("first", "end", "days"),
    [
        pytest.param(None, None, (date(2026, 5, 17), date(2026, 6, 16)), id="the last 30 days, today included"),
        pytest.param(FIRST, None, (FIRST, date(2026, 6, 16)), id="until today"),
        pytest.param(None, END, (date(2026, 5, 12), END), id="the 30 days before"),
        pytest.param(FIRST, END, (FIRST, END), id="as given"),
        pytest.param(None, date(1, 1, 10), (date.min, date(1, 1, 10)), id="from the first day that there is"),
    ],
)
def test_days(first: date | None, end: date | None, days: tuple[date, date]) -> None:
    assert period(first, end, now=NOW) == Period(*days)


def test_the_last_day_of_all_is_no_reason_to_fail() -> None:
    assert period(None, None, now=datetime(9999, 12, 31, tzinfo=UTC)).end == date.max


@pytest.mark.parametrize(("asked", "count"), [((FIRST, END), 0), ((FIRST, FIRST), 1), ((END, FIRST), 1)])
def test_a_report_ends_after_it_begins(asked: tuple[date, date], count: int) -> None:
    assert len(list(period_violations(Period(*asked)))) == count


@pytest.mark.parametrize(
    ("now", "closed"),
    [
        ("2026-06-15T00:59:59Z", date(2026, 6, 14)),
        ("2026-06-15T01:00:00Z", date(2026, 6, 15)),
        ("2026-06-14T21:30:00-03:00", date(2026, 6, 14)),
        ("2026-06-14T22:00:00-03:00", date(2026, 6, 15)),
    ],
)
def test_a_day_is_over_an_hour_after_midnight_utc(now: str, closed: date) -> None:
    assert closed_until(datetime.fromisoformat(now)) == closed
