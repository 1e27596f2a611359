"""Query plans of reports: in a large organization beside another one, an index finds the rows."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant, create_tenant
from tests.support.plans import MODES, explain, plan_nodes, rows_read, vacuum, without_indexes
from tests.support.recording import Statement, record_statements
from tests.support.reporting import roll_up

from tessera.api.serving.resources import Resources
from tessera.provision import Addresses
from tessera.reports import repository
from tessera.reports import service as reports
from tessera.reports.late.repository import LateRedemptionRepository
from tessera.reports.service import Dimension, Period, RedemptionReport

# A hundred days of 400 entries. Every second one belongs to one of 300 promo codes, the others to vouchers.
DAYS, A_DAY = 100, 400
FILL = """
insert into redemption_ledger (organization_id, redemption_id, number, status, redeemed_change, held_change, code,
    store_exam_id, partner_id, discount, at)
select %(tenant)s, gen_random_uuid(), 1, 'Redeemed', 1, 0,
       case when n %% 2 = 0 then 'CODE' || n %% 300 else 'V-' || md5(n::text) end, %(exam)s,
       case when n %% 2 = 1 then %(partner)s::uuid end, 1,
       %(now)s - interval '1 day' * (%(days)s * (1 - n::float / %(entries)s))
from generate_series(1, %(entries)s) n
"""
# Each code of the ledger, and a campaign for each two of them.
CODES = """
insert into promo_codes (organization_id, id, name, status, discount_percent, redemption_count, held_count,
    restrict_to_email_addresses, has_store_exams, has_product_bundles, campaign, campaign_key, created_at, version)
select %(tenant)s, md5(%(tenant)s::text || n)::uuid, 'CODE' || n, 'Active', 10, 0, 0, false, false, false,
       'C' || n / 2, 'c' || n / 2, '2026-01-01', 1
from generate_series(0, 20000) n;
"""
TOTALS = """
insert into voucher_partners (organization_id, id, name, status, created_at, version)
select %(tenant)s, md5(%(tenant)s::text || n)::uuid, 'Partner ' || n, 'Active', '2026-01-01', 1
from generate_series(1, 200) n;
insert into voucher_totals (organization_id, partner_id, expires_on, quantity, used, archived)
select %(tenant)s, md5(%(tenant)s::text || n)::uuid, date '2026-01-01' + d, 10, 5, 0
from generate_series(1, 200) n, generate_series(1, 20) d
"""
TABLES = ("redemption_ledger", "promo_codes", "voucher_totals", "voucher_partners")
TODAY = NOW.date()


def fill(superuser: psycopg.Connection[Any], tenant: Tenant) -> None:
    values = {
        "tenant": tenant.id,
        "exam": tenant.exam_ids["NCA-GENL"],
        "partner": UUID(int=1),
        "now": NOW,
        "days": DAYS,
        "entries": DAYS * A_DAY,
    }
    for statement in (FILL, CODES, *TOTALS.split(";\n")):
        superuser.execute(statement, values)


@pytest.fixture(scope="module")
async def big(resources: Resources, addresses: Addresses) -> Tenant:
    """An organization with 40,000 entries, summed up until the day before yesterday, beside one of the same size."""
    tenants = [await create_tenant(resources, now=NOW) for _ in range(2)]
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")  # the redemptions do not matter here
        with without_indexes(superuser, *TABLES):
            for tenant in tenants:
                fill(superuser, tenant)
        vacuum(superuser, "redemption_ledger", "promo_codes")
        for tenant in tenants:
            await roll_up(resources, tenant, now=NOW - timedelta(days=1))
        vacuum(superuser, "redemption_totals", "voucher_totals", "voucher_partners")
    return tenants[0]


async def plans(resources: Resources, addresses: Addresses, tenant: Tenant, ask: Any) -> list[list[dict[str, Any]]]:
    """For each plan mode, the plans of the statements."""
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(tenant.id) as work:
            await ask(work)
    begin, *statements = sent
    totals_queries: list[Statement] = [each for each in statements if each.parameters and "totals" in each.text]
    assert totals_queries
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app", prepare_threshold=None) as connection:
        return [
            [explain(connection, begin, statement, mode=mode) for statement in totals_queries]
            for mode in ("force_custom_plan", "force_generic_plan")
        ]


@pytest.mark.parametrize("by", list(Dimension))
@pytest.mark.parametrize("days", [2, 30, 100])
async def test_a_short_report_reads_only_its_days(
    resources: Resources, addresses: Addresses, big: Tenant, by: Dimension, days: int
) -> None:
    report = RedemptionReport(by=by, period=Period(TODAY - timedelta(days=days), TODAY + timedelta(days=1)))

    async def ask(work: Any) -> None:
        await reports.list_redemptions(work, report, after=None, size=100)

    for planned in await plans(resources, addresses, big, ask):
        assert [part["Node Type"] for plan in planned for part in plan_nodes(plan) if "Seq" in part["Node Type"]] == []
        # The days are counted, then read, and a campaign is looked up for each row of a promo code; the ledger is read
        # for days that are not summed up yet.
        rows_of_days = (3 if by is Dimension.CAMPAIGN else 2) * days * A_DAY
        assert sum(map(rows_read, planned)) <= rows_of_days + 3 * A_DAY + 500


async def test_a_long_report_reads_key_by_key_as_far_as_it_shows(
    resources: Resources, addresses: Addresses, big: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "MAX_ROWS_BY_DAY", 1_000)
    report = RedemptionReport(by=Dimension.CODE, period=Period(date(2026, 1, 1), TODAY + timedelta(days=1)))

    async def ask(work: Any) -> None:
        for cursor in (None, "WyJWLTgiXQ"):  # at the beginning, among promo codes; and behind V-8
            await reports.list_redemptions(work, report, after=cursor, size=20)

    for planned in await plans(resources, addresses, big, ask):
        assert [part["Node Type"] for plan in planned for part in plan_nodes(plan) if "Seq" in part["Node Type"]] == []
        # A promo code has a row for about two days in three, a voucher one; the counts are of the whole table here.
        assert [rows_read(plan) for plan in planned if rows_read(plan) > 3 * A_DAY + 21 * DAYS] == [
            rows_read(plan) for plan in planned if plan["Node Type"] == "Aggregate"
        ]


@pytest.mark.parametrize("max_rows_by_day", [-1, 50_000])
async def test_a_report_by_campaign_reads_its_days_or_its_codes(
    resources: Resources, addresses: Addresses, big: Tenant, monkeypatch: pytest.MonkeyPatch, max_rows_by_day: int
) -> None:
    monkeypatch.setattr(repository, "MAX_ROWS_BY_DAY", max_rows_by_day)
    report = RedemptionReport(by=Dimension.CAMPAIGN, period=Period(TODAY - timedelta(days=30), TODAY))
    found: list[int] = []

    async def ask(work: Any) -> None:
        page = await reports.list_redemptions(work, report, after=None, size=1000)
        found.append(len(page.items))

    for planned in await plans(resources, addresses, big, ask):
        assert [part["Node Type"] for plan in planned for part in plan_nodes(plan) if "Seq" in part["Node Type"]] == []
        # By day: the rows of the days are counted and read, and their codes are looked up. By code: 20,000 codes.
        bound = 3 * 30 * A_DAY if max_rows_by_day > 0 else 2 * 20_001 + 3 * 30 * A_DAY
        assert sum(map(rows_read, planned)) <= bound
    assert found == [150]


async def test_a_report_on_vouchers_reads_the_totals_of_its_organization(
    resources: Resources, addresses: Addresses, big: Tenant
) -> None:
    async def ask(work: Any) -> None:
        await reports.list_vouchers(work, now=NOW, after=None, size=100)
        await reports.sum_vouchers(work, now=NOW)

    for part, total in await plans(resources, addresses, big, ask):
        assert rows_read(part) <= 101 + 101 * 20
        assert rows_read(total) <= 200 * 20
        assert [each for plan in (part, total) for each in plan_nodes(plan) if "Seq" in each["Node Type"]] == []


@pytest.mark.parametrize("count", [1, 2, 50])
async def test_days_that_are_summed_up_again_read_their_own_entries(
    resources: Resources, addresses: Addresses, big: Tenant, count: int
) -> None:
    days = [TODAY - timedelta(days=10 + n) for n in range(count)]
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(big.id) as work:
            await LateRedemptionRepository(work).sum_again(days)
    begin, removal, addition = sent[:3]
    removed = "delete from redemption_totals where organization_id = '{}' and day between '{}' and '{}'"
    removing = begin._replace(text=f"{begin.text}; {removed.format(big.id, days[-1], days[0])}")
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app", prepare_threshold=None) as connection:
        for mode in MODES:
            # An entry has up to five keys, and so at most as many totals; a plan rounds the number of those without.
            for start, statement in ((begin, removal), (removing, addition)):
                plan = explain(connection, start, statement, mode=mode)
                assert [node["Node Type"] for node in plan_nodes(plan) if "Seq" in node["Node Type"]] == []
                assert (mode, rows_read(plan)) <= (mode, (2 + 5) * A_DAY * count + count)
