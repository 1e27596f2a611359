"""Reports combine summed-up days and the ledger: the result is the same at any time of the summing up."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant
from tests.support.ledgers import Entry, append, expected_sums, ledger_connection, read_report
from tests.support.reporting import roll_up

from tessera.api.serving.resources import Resources
from tessera.kit.identifiers import new_id
from tessera.provision import Addresses
from tessera.reports import repository
from tessera.reports import service as reports
from tessera.reports.rules import Dimension, closed_until

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 8


class Ledger:
    """A ledger of random entries in order of time, as in production."""

    def __init__(self, seed: int, tenant: Tenant) -> None:
        self.random = random.Random(seed)
        self.exams = list(tenant.exam_ids.values())
        self.bundle = tenant.bundle_id
        self.partners = [new_id() for _ in range(3)]
        self.entries: list[Entry] = []

    def grow(self, first: datetime, end: datetime) -> list[Entry]:
        """Add entries from one time until before another."""
        width = int((end - first).total_seconds())
        times = [first + timedelta(seconds=self.random.randrange(width)) for _ in range(self.random.randrange(40))]
        # Midnight is the border of two days.
        times += [at.replace(hour=0, minute=0, second=0) for at in times if at.date() > first.date()]
        more = [self.entry(at) for at in times]
        self.entries += more
        return more

    def entry(self, at: datetime) -> Entry:
        is_voucher, is_bundle = self.random.random() < 0.5, self.random.random() < 0.2
        return Entry(
            at=at,
            change=self.random.choice([1, 1, 1, -1, 0]),
            code=f"{'V' if is_voucher else 'CODE'}-{self.random.randrange(6)}",
            store_exam_id=None if is_bundle else self.random.choice(self.exams),
            product_bundle_id=self.bundle if is_bundle else None,
            partner_id=self.random.choice(self.partners) if is_voucher else None,
            discount=Decimal(self.random.randrange(10_000)) / 100,
        )


@pytest.fixture(params=["day by day", "key by key"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the two queries for summed-up days, regardless of their number."""
    if request.param == "key by key":
        monkeypatch.setattr(repository, "MAX_ROWS_BY_DAY", -1)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("seed", range(8))
async def test_sums_and_ledger_together_are_the_ledger(
    resources: Resources, tenant: Tenant, other_tenant: Tenant, addresses: Addresses, seed: int
) -> None:
    ledger, others = Ledger(seed, tenant), Ledger(seed + 1000, other_tenant)
    with ledger_connection(addresses) as connection:
        now = BEGIN
        while now < BEGIN + timedelta(days=DAYS):
            later = now + timedelta(hours=ledger.random.randrange(1, 60))
            append(connection, tenant, ledger.grow(now, later))
            append(connection, other_tenant, others.grow(now, later))
            now = later
            if ledger.random.random() < 0.7:
                result = await roll_up(resources, tenant, now=now)
                assert all(date.fromisoformat(day) < closed_until(now) for day in result)
            for by in Dimension:
                first = BEGIN.date() + timedelta(days=ledger.random.randrange(-1, DAYS))
                end = first + timedelta(days=ledger.random.randrange(1, DAYS))
                for days in ((first, end), (date(2000, 1, 1), date(2100, 1, 1))):
                    outcome = await read_report(resources, tenant, by, *days, size=ledger.random.choice([1, 2, 3, 100]))
                    assert outcome == expected_sums(ledger.entries, by, *days)
    assert await read_report(resources, other_tenant, Dimension.CODE, date.min, date.max) == expected_sums(
        others.entries, Dimension.CODE, date.min, date.max
    )


async def test_a_rebuild_corrects_totals_and_opens_days_that_were_closed_too_early(
    resources: Resources, tenant: Tenant, other_tenant: Tenant, addresses: Addresses
) -> None:
    ledger, others = Ledger(1, tenant), Ledger(2, other_tenant)
    end = BEGIN + timedelta(days=DAYS)
    with ledger_connection(addresses) as connection:
        append(connection, tenant, ledger.grow(BEGIN, end))
        append(connection, other_tenant, others.grow(BEGIN, end))
        ahead = end + timedelta(days=300)  # by a wrong clock
        await roll_up(resources, tenant, now=ahead)
        await roll_up(resources, other_tenant, now=end)
        connection.execute(
            "update report_marks set rolled_until = %s where organization_id = %s", [ahead.date(), tenant.id]
        )
        connection.execute(
            "update redemption_totals set redeemed = redeemed + 1 where dimension = 'code' and organization_id = %s",
            [tenant.id],
        )
        append(connection, tenant, ledger.grow(BEGIN, end + timedelta(days=1)))  # too late for their days
    now = end + timedelta(hours=2)
    async with resources.database.unit_of_work(tenant.id) as work:
        rebuilt = await reports.rebuild(work, now=now)
    assert rebuilt.closed_until == closed_until(now)
    assert rebuilt.wrong
    for each, entries in ((tenant, ledger.entries), (other_tenant, others.entries)):
        async with resources.database.unit_of_work(each.id) as work:
            assert await reports.list_discrepancies(work) == []
        for by in Dimension:
            outcome = await read_report(resources, each, by, date(2000, 1, 1), date(2100, 1, 1))
            assert outcome == expected_sums(entries, by, date(2000, 1, 1), date(2100, 1, 1))


async def test_a_day_without_redemptions_is_skipped_and_may_be_years_ago(
    resources: Resources, tenant: Tenant, addresses: Addresses
) -> None:
    ledger = Ledger(0, tenant)
    days = [datetime(year, 3, 1, 12, tzinfo=UTC) for year in (1999, 2024, 2026)]
    with ledger_connection(addresses) as connection:
        append(connection, tenant, [ledger.entry(at) for at in days for _ in range(20)])
    assert await roll_up(resources, tenant, now=NOW) == [str(day.date()) for day in days]


async def test_a_day_of_the_largest_discounts_is_rolled_up(
    resources: Resources, tenant: Tenant, addresses: Addresses
) -> None:
    largest = Decimal("9999999999.99")
    entries = [
        Entry(
            at=BEGIN,
            change=1,
            code="CODE",
            store_exam_id=tenant.exam_ids["NCA-GENL"],
            product_bundle_id=None,
            partner_id=None,
            discount=largest,
        )
        for _ in range(101)
    ]
    with ledger_connection(addresses) as connection:
        append(connection, tenant, entries)
    for _ in range(2):
        (total,) = await read_report(resources, tenant, Dimension.CODE, date.min, date.max)
        assert total == ("CODE", 101, 0, 101 * largest)
        await roll_up(resources, tenant, now=BEGIN + timedelta(days=2))
