"""Redemptions that retention drops: every count, limit and report stays as it was."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy.exc import ProgrammingError
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant, add_platform, add_promo_codes, percent_code
from tests.support.management_requests import ROOT
from tests.support.redemption_requests import act, create_redemption, redeem, update_reservation
from tests.support.reporting import open_shop, redeem_for_days, roll_up
from tests.support.retaining import apply, keep

from tessera.api.serving.resources import Resources
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.errors import TransactionAborted
from tessera.kit.identifiers import new_id
from tessera.promo_codes.repository import NewPromoCode
from tessera.promo_codes.uses import service as uses
from tessera.redemptions import lifecycle, transitions
from tessera.redemptions.ledger import service as ledger
from tessera.redemptions.repository import RedemptionRepository
from tessera.redemptions.reservations.repository import ReservationRepository
from tessera.redemptions.rules import RedemptionStatus
from tessera.reports import service as reports
from tessera.reports.repository import ReportRepository
from tessera.reports.service import Dimension
from tessera.retention.repository import RetentionRepository
from tessera.transfers.repository import TransferRepository

MONTH = timedelta(days=31)
METADATA = "record_metadata"
DROPPED = ("redemptions", "redemption_ledger", "reservations")
ANONYMISED = "update reservations set anonymised_at = updated_at where organization_id = %s and status = 'Completed'"
YEARS = "from=2020-01-01&until=2030-01-01"


def count_rows(superuser: psycopg.Connection[Any], tenant: Tenant, *tables: str) -> list[int]:
    counts = []
    for table in tables or DROPPED:
        row = superuser.execute(f"select count(*) from {table} where organization_id = %s", [tenant.id]).fetchone()
        assert row is not None
        counts.append(int(row[0]))
    return counts


async def look_at(client: httpx.AsyncClient, tenant: Tenant) -> list[Any]:
    """What callers see of counts: each report, the promo codes, and the vouchers with their purchases."""
    paths = [f"reports/redemptions?by={by}&{YEARS}" for by in Dimension]
    paths += ["promo-codes", "vouchers", "voucher-purchases", "reports/vouchers"]
    answers = [await client.get(f"{ROOT}/{path}", headers=tenant.bearer) for path in paths]
    assert [each.status_code for each in answers] == [200] * len(paths), [each.text for each in answers]
    bodies = [each.json() for each in answers]
    for voucher in bodies[paths.index("vouchers")]["data"]:
        # Its candidate becomes anonymous.
        for name in ("version", "reservationCode", *(each for each in voucher if each.startswith("usedBy"))):
            voucher.pop(name, None)
    return bodies


async def discrepancies(resources: Resources, *tenants: Tenant) -> list[Any]:
    found: list[Any] = []
    for tenant in tenants:
        async with resources.database.unit_of_work(tenant.id) as work:
            found += [*(await ledger.verify(work)).discrepancies, *await reports.list_discrepancies(work)]
    return found


async def discrepancies_of(resources: Resources, code: NewPromoCode) -> list[Any]:
    """Those of one global code; other tests leave some of other codes."""
    async with resources.database.unit_of_work(PLATFORM_ID) as work:
        return [each for each in (await ledger.verify(work)).discrepancies if code.name in each.name]


async def drop(resources: Resources, tenant: Tenant, *, now: datetime, size: int = 200) -> int:
    """Drop redemptions of an organization in one transaction; returns the number of them and of reservations."""
    async with resources.database.unit_of_work(tenant.id) as work:
        return await RetentionRepository(work).drop_redemptions(size=size, now=now)


async def end_all(client: httpx.AsyncClient, tenant: Tenant, *reservations: str) -> None:
    for each in reservations:
        assert (await update_reservation(client, tenant, each, "Completed")).status_code == 200


async def open_and_end(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock, superuser: psycopg.Connection[Any]
) -> tuple[NewPromoCode, NewPromoCode]:
    """Redeem codes of every kind, and end all reservations; returns a code without a limit, and a global code."""
    limits = {"store_exam_ids": (), "max_redemptions": 9, "max_redemptions_per_organization": 2}
    shared = percent_code(tenant, f"G{new_id().hex[-12:].upper()}", **limits)
    await add_promo_codes(resources, add_platform(superuser, tenant), shared, now=NOW)
    free = percent_code(tenant, "FREE", max_redemptions=None, campaign="Summer")
    await add_promo_codes(resources, tenant, free, now=NOW)
    await open_shop(resources, tenant)
    await redeem_for_days(client, tenant, clock)
    for code, reservation in (("FREE", "RSV-6"), ("FREE", "RSV-7"), (shared.name, "RSV-8")):
        await create_redemption(client, tenant, code, reservation)
    held = (await client.get("/storefront/v1/reservations/RSV-5", headers=tenant.api_key)).json()["redemptions"][0]
    assert (await act(client, tenant, held, "release")).status_code == 200
    await end_all(client, tenant, *(f"RSV-{number}" for number in (2, 3, 4, 6, 8)))
    assert (await update_reservation(client, tenant, "RSV-7", "Cancelled")).status_code == 200
    superuser.execute(
        "insert into record_metadata select organization_id, 'Redemption', id, 'channel', 'web' from redemptions"
        " where organization_id = %s",
        [tenant.id],
    )
    await keep(resources, tenant, redemptions_after_months=1)
    assert await roll_up(resources, tenant, now=NOW + timedelta(days=1))
    return free, shared


async def test_every_count_limit_and_report_stays_as_it_was(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock, superuser: psycopg.Connection[Any]
) -> None:
    free, shared = await open_and_end(client, resources, tenant, clock, superuser)
    platform, late, tables = replace(tenant, id=PLATFORM_ID), NOW + MONTH + timedelta(hours=1), (*DROPPED, METADATA)
    named = "select distinct used_by_person_id from vouchers where organization_id = %s and is_used"
    before = await look_at(client, tenant)
    # That of the 12th, cancelled on the 14th, with its reservation.
    assert await apply(resources, tenant, now=NOW + MONTH - timedelta(seconds=1)) == 2
    assert count_rows(superuser, tenant, *tables) == [7, 9, 7, 7]
    assert await look_at(client, tenant) == before
    assert await discrepancies(resources, tenant) + await discrepancies_of(resources, shared) == []
    assert await apply(resources, tenant, now=late) == 5 + 14  # five became anonymous, with the voucher of one
    assert superuser.execute(named, [tenant.id]).fetchall() == [("[anonymised]",)]
    assert count_rows(superuser, tenant, *tables) == [0, 0, 0, 0]
    assert await look_at(client, tenant) == before
    assert await discrepancies(resources, tenant) + await discrepancies_of(resources, shared) == []
    async with resources.database.unit_of_work(tenant.id) as work:
        await reports.include_late(work, [NOW.date() - timedelta(days=days) for days in range(5)])
    assert await look_at(client, tenant) == before
    async with resources.database.unit_of_work(tenant.id) as work:
        # A clock that is behind does not open days whose redemptions are gone.
        assert await reports.rebuild(work, now=NOW - MONTH) == reports.Rebuilding(date(2026, 6, 16), [])
    assert await look_at(client, tenant) == before
    async with resources.database.unit_of_work(tenant.id) as work:
        assert await TransferRepository(work).sum_global_uses() == [(shared.id, 1, 0)]
    for owner, code in ((tenant, free), (platform, shared)):
        async with resources.database.unit_of_work(owner.id) as work:
            assert await uses.recount(work, code.id, as_of=late) == (1, 0)
    # The code of a reservation is unused again, and one use is left in the share.
    await create_redemption(client, tenant, shared.name, "RSV-8")
    assert (await redeem(client, tenant, shared.name, "RSV-9")).status_code == 409


async def test_what_may_change_or_is_not_rolled_up_stays(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    other_tenant: Tenant,
    superuser: psycopg.Connection[Any],
) -> None:
    for each in (tenant, other_tenant):
        await add_promo_codes(resources, each, percent_code(each, "SPRING"), now=NOW)
        await create_redemption(client, each, "SPRING", "RSV-ENDED")
        await create_redemption(client, each, "SPRING", "RSV-OPEN")
        for reservation in ("RSV-HELD", "RSV-OPEN"):
            held = await create_redemption(client, each, "SPRING", f"{reservation}-2", holdSeconds=60)
            assert (await act(client, each, held, "release")).status_code == 200
        await end_all(client, each, "RSV-ENDED")
        superuser.execute(ANONYMISED, [each.id])
    counts = count_rows(superuser, other_tenant)
    late = NOW + MONTH + timedelta(hours=1)
    assert await drop(resources, tenant, now=late) == 0  # without a setting
    await keep(resources, tenant, redemptions_after_months=1)
    await keep(resources, other_tenant, redemptions_after_months=2)
    assert await drop(resources, tenant, now=late, size=3) == 4
    assert count_rows(superuser, tenant) == [2, 2, 2]
    assert await drop(resources, tenant, now=late) == 0  # no day is rolled up
    for each in (tenant, other_tenant):
        await roll_up(resources, each, now=NOW + timedelta(days=2))
    async with resources.database.unit_of_work(tenant.id) as work:
        await ReportRepository(work).lock_mark()
        assert await drop(resources, tenant, now=late) == 0  # others roll up
    assert await drop(resources, tenant, now=late) == 2
    assert await drop(resources, tenant, now=late) == 0
    assert count_rows(superuser, tenant) == [1, 1, 1]
    assert await drop(resources, other_tenant, now=late) == 0
    assert count_rows(superuser, other_tenant) == counts
    assert await discrepancies(resources, tenant, other_tenant) == []


async def test_only_the_function_deletes(resources: Resources, tenant: Tenant) -> None:
    for table in (*DROPPED, "dropped_totals", "dropped_uses"):
        async with resources.database.unit_of_work(tenant.id) as work:
            with pytest.raises(ProgrammingError):
                await work.connection.exec_driver_sql(
                    f"delete from {table} where organization_id = %(organization_id)s", {"organization_id": tenant.id}
                )


async def test_a_change_and_the_drop_of_its_redemption_exclude_each_other(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=NOW)
    redemption = await create_redemption(client, tenant, "SPRING", "RSV-1")
    await end_all(client, tenant, "RSV-1")
    superuser.execute(ANONYMISED, [tenant.id])
    await roll_up(resources, tenant, now=NOW + timedelta(days=2))
    await keep(resources, tenant, redemptions_after_months=1)
    id_, late = UUID(redemption["id"]), NOW + MONTH + timedelta(hours=1)

    async with resources.database.unit_of_work(tenant.id) as work, work.undoing():
        await lifecycle.change(work, id_, RedemptionStatus.CANCELLED, caller=None, now=late)
        assert await drop(resources, tenant, now=late) == 0
    async with resources.database.unit_of_work(tenant.id) as work:
        (found,) = await RedemptionRepository(work).find_all([id_])
        reservation = (await ReservationRepository(work).find_all(["RSV-1"]))["RSV-1"]
        assert await drop(resources, tenant, now=late) == 2
        with pytest.raises(TransactionAborted):
            await ReservationRepository(work).change(reservation)
        change = transitions.status_change(found, RedemptionStatus.CANCELLED, caller_id=None, now=late)
        async with work.undoing():
            with pytest.raises(TransactionAborted):
                await transitions.write(work, [change], now=late)
    assert await discrepancies(resources, tenant) == []


async def test_old_failed_jobs_are_deleted(
    resources: Resources, tenant: Tenant, other_tenant: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    await keep(resources, tenant, failed_jobs_after_days=10)
    jobs = dict[int, tuple[Tenant, str, int]]()
    for each in (tenant, other_tenant):
        for state, age in (("failed", 11), ("failed", 9), ("cancelled", 11), ("aborted", 11), ("succeeded", 11)):
            arguments = Jsonb({"organization_id": str(each.id), "n": len(jobs)})
            row = superuser.execute(
                "insert into procrastinate_jobs (queue_name, task_name, args, status) values ('q', 't', %s, %s)"
                " returning id",
                [arguments, state],
            ).fetchone()
            assert row is not None
            jobs[row[0]] = (each, state, age)
            superuser.execute("delete from procrastinate_events where job_id = %s", [row[0]])
            superuser.execute(
                "insert into procrastinate_events (job_id, type, at) values (%s, 'failed', %s)",
                [row[0], NOW - timedelta(days=age)],
            )
    assert await apply(resources, tenant, now=NOW) == 3
    assert await apply(resources, tenant, now=NOW) == 0
    left = superuser.execute("delete from procrastinate_jobs where id = any (%s) returning id", [list(jobs)]).fetchall()
    assert sorted((state, age) for each, state, age in (jobs[id_] for (id_,) in left) if each is tenant) == [
        ("failed", 9),
        ("succeeded", 11),
    ]
    assert len(left) == 7
