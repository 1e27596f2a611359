"""A year in small: with retention, the use of the disk is flat after the first period."""

from datetime import UTC, datetime, timedelta

import psycopg
from tests.conftest import Clock, migrated_database, opened_resources
from tests.support.factories import Tenant, add_promo_codes, create_tenant, percent_code
from tests.support.reporting import roll_up
from tests.support.retaining import apply, keep

from tessera.api.serving.resources import Resources
from tessera.codes.rules import ProductChoice
from tessera.kit.db.passes import PLATFORM_ID
from tessera.redemptions import redeem
from tessera.redemptions.drafts import Candidate, RedemptionDraft
from tessera.redemptions.expiry import service as expiry
from tessera.redemptions.ledger import service as ledger
from tessera.redemptions.records import Redemption
from tessera.reports import service as reports
from tessera.settings import Settings

START = datetime(2024, 1, 1, tzinfo=UTC)
MONTH = timedelta(days=31)
MONTHS, BATCHES, BATCH = 13, 4, 60
TABLES = ("redemptions", "redemption_ledger", "reservations")
ADA = Candidate(person_id="P", client_candidate_id="C", first_name="Ada", last_name="Byron", email="ada@example.com")


async def redeem_batch(resources: Resources, tenant: Tenant, *, now: datetime) -> None:
    """Redeem a code for some reservations, and hold it for as many, whose holds lapse."""
    drafts = [
        RedemptionDraft(
            code="SPRING",
            reservation_code=f"RSV-{now:%Y-%m-%d}-{number}",
            product=ProductChoice(store_exam_code="NCA-GENL"),
            candidate=ADA,
            hold=timedelta(minutes=1) if number % 2 else None,
        )
        for number in range(BATCH)
    ]
    async with resources.database.unit_of_work(tenant.id) as work:
        results = await redeem.redeem_all(work, drafts, now=now)
    assert all(isinstance(each, Redemption) for each in results)
    later = now + timedelta(minutes=2)
    async with resources.database.unit_of_work(PLATFORM_ID) as work:
        await expiry.expire(work, await expiry.list_lapsed(work, now=later), now=later)


def measure(superuser: psycopg.Connection) -> tuple[int, int]:
    """The rows and the blocks of the tables and their indexes, after a vacuum."""
    rows = blocks = 0
    for table in TABLES:
        superuser.execute(f"vacuum (index_cleanup on) {table}")
        found = superuser.execute(f"select count(*), pg_total_relation_size('{table}') / 8192 from {table}").fetchone()
        assert found is not None
        rows, blocks = rows + found[0], blocks + found[1]
    return rows, blocks


async def live_through_a_month(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection, *, start: datetime
) -> tuple[int, int]:
    """Redeem codes, end the reservations, and apply the retention at the end; returns what `measure` does."""
    for number in range(BATCHES):
        now = start + number * MONTH / BATCHES
        await redeem_batch(resources, tenant, now=now)
        superuser.execute(
            "update reservations set status = 'Completed', updated_at = %s where created_at = %s and code ~ '[02468]$'",
            [now + timedelta(hours=1), now],
        )
    await roll_up(resources, tenant, now=start + MONTH)
    await apply(resources, tenant, now=start + MONTH)
    return measure(superuser)


async def test_the_disk_use_of_a_year_is_flat_after_the_first_period(cluster: str, settings: Settings) -> None:
    with migrated_database(cluster, "year") as addresses:
        async with opened_resources(settings, addresses, Clock(START)) as resources:
            tenant = await create_tenant(resources, now=START)
            code = percent_code(tenant, "SPRING", max_redemptions=1_000_000)
            await add_promo_codes(resources, tenant, code, now=START)
            await keep(resources, tenant, redemptions_after_months=1)
            with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
                sizes = [
                    await live_through_a_month(resources, tenant, superuser, start=START + month * MONTH)
                    for month in range(MONTHS)
                ]
            async with resources.database.unit_of_work(tenant.id) as work:
                assert (await ledger.verify(work)).discrepancies == []
                assert await reports.list_discrepancies(work) == []
    rows, blocks = zip(*sizes, strict=True)
    assert set(rows) == {rows[0]}
    # The next vacuum makes those blocks of an index usable again that one has emptied.
    assert max(blocks) <= blocks[3] * 1.25
