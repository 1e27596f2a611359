"""The locks that a redemption waits for, and those that it does not."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant, add_platform, add_promo_codes, percent_code
from tests.support.redemption_requests import URL, act, body, create_redemption, reasons, redeem, update_reservation
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher
from tests.support.waiting import until_blocked

from tessera.api.serving.resources import Resources
from tessera.codes.rules import ProductChoice
from tessera.kit.db.compiled_queries import run
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.identifiers import new_id
from tessera.promo_codes.rules import Status
from tessera.promo_codes.service import NewPromoCode
from tessera.provision import Addresses
from tessera.redemptions import redeem as redeeming
from tessera.redemptions.drafts import Candidate, RedemptionDraft
from tessera.redemptions.expiry import repository as expiry_repository
from tessera.redemptions.expiry import service as expiry
from tessera.redemptions.expiry.repository import Holds, LapsedHold
from tessera.redemptions.ledger import service as ledger
from tessera.redemptions.records import Redemption
from tessera.redemptions.reservations import service as reservations
from tessera.redemptions.reservations.repository import ReservationRepository
from tessera.vouchers.rules import ReservationStatus


@pytest.fixture
async def shop(resources: Resources, tenant: Tenant) -> Tenant:
    """A tenant with limited codes, an unlimited one, and two vouchers."""
    await add_promo_codes(
        resources,
        tenant,
        percent_code(tenant, "FIRST", max_redemptions=2),
        percent_code(tenant, "SECOND", max_redemptions=2),
        percent_code(tenant, "EACH", max_redemptions=None, max_redemptions_per_candidate=1),
        NewPromoCode(id=new_id(), name="FREE", status=Status.ACTIVE, discount_percent=10),
        now=NOW,
    )
    partner = await add_partner(resources, tenant, "Acme Corp")
    purchase = await add_purchase(resources, tenant, partner, await add_program(resources, tenant, "Open"), "VP-1")
    await add_vouchers(resources, tenant, voucher(purchase, partner, "V1"), voucher(purchase, partner, "V2"))
    return tenant


@contextmanager
def rivalling(addresses: Addresses) -> Iterator[psycopg.Connection]:
    """A concurrent transaction, which is rolled back."""
    with psycopg.connect(addresses.owner.replace("+psycopg", "")) as rival:
        yield rival
        rival.rollback()


def lock(rival: psycopg.Connection, tenant: Tenant, code: str) -> None:
    """Lock the row of a promo code or of a voucher."""
    for table, column in (("promo_codes", "name"), ("vouchers", "code")):
        rival.execute(
            f"select from {table} where organization_id = %s and {column} = %s for no key update", [tenant.id, code]
        )


async def status_of(client: httpx.AsyncClient, tenant: Tenant, redemption: dict[str, str]) -> str:
    result: str = (await client.get(f"{URL}/{redemption['id']}", headers=tenant.api_key)).json()["status"]
    return result


async def assert_recounted(resources: Resources, tenant: Tenant) -> None:
    async with resources.database.unit_of_work(tenant.id) as work:
        assert (await ledger.verify(work)).discrepancies == []


@pytest.mark.parametrize(("lapsed", "other"), [("FIRST", "SECOND"), ("V1", "V2"), ("FIRST", "V1"), ("V1", "FREE")])
async def test_an_expired_hold_of_another_code_of_the_reservation_is_unchanged(
    client: httpx.AsyncClient, shop: Tenant, clock: Clock, addresses: Addresses, lapsed: str, other: str
) -> None:
    held = await create_redemption(client, shop, lapsed, holdSeconds=10)
    clock.advance(seconds=10)
    with rivalling(addresses) as rival:
        # The owner of this lock may also end the hold; no other transaction may change its uses.
        lock(rival, shop, lapsed)
        async with asyncio.timeout(60):
            await create_redemption(client, shop, other)
    assert await status_of(client, shop, held) == "Expired"


async def test_what_has_lapsed_on_another_code_of_the_same_text_waits_for_both(
    client: httpx.AsyncClient,
    resources: Resources,
    shop: Tenant,
    clock: Clock,
    addresses: Addresses,
    superuser: psycopg.Connection,
) -> None:
    held = await create_redemption(client, shop, "V1", holdSeconds=10)
    clock.advance(seconds=10)
    # The promo code, whose text is from before such texts were refused, is meant where the voucher cannot be used.
    for change in ("promo_codes set name = 'V1' where name = 'SECOND'", "vouchers set is_active = false where true"):
        superuser.execute(f"update {change} and organization_id = '{shop.id}'")
    with rivalling(addresses) as rival:
        lock(rival, shop, "V1")
        waiting = asyncio.create_task(redeem(client, shop, "V1"))
        await until_blocked(superuser)
    answer = await waiting
    assert (answer.status_code, answer.json()["kind"]) == (201, "PromoCode")
    assert await status_of(client, shop, held) == "Expired"
    await assert_recounted(resources, shop)


async def test_a_confirmation_that_waits_past_the_deadline_does_not_take_the_use_that_another_one_has_got(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant, clock: Clock, superuser: psycopg.Connection
) -> None:
    for code in ("EACH", "V1"):
        held = await create_redemption(client, shop, code, holdSeconds=10)
        clock.advance(seconds=9)
        async with resources.database.unit_of_work(shop.id) as work:
            await run(work.connection, ReservationRepository(work).locking(["RSV-1"]))
            waiting = asyncio.create_task(act(client, shop, held, "confirm"))
            await until_blocked(superuser)
            clock.advance(seconds=2)
            await create_redemption(client, shop, code, f"RSV-{code}")
        confirmed = await waiting
        assert (confirmed.status_code, confirmed.json()["state"]) == (409, "Expired")
    await assert_recounted(resources, shop)


async def test_a_hold_whose_reservation_is_locked_or_moves_while_its_end_is_written_is_left_for_the_next_time(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = await create_redemption(client, shop, "FREE", holdSeconds=10)
    clock.advance(seconds=10)
    try_lock = expiry_repository.try_lock_reservations

    async def expire() -> int:
        async with resources.database.unit_of_work(shop.id) as work:
            expired = await expiry.expire(work, {shop.id: [UUID(held["id"])]}, now=clock.now)
        return sum(progress.done for progress in expired.values())

    async def lock_after_a_move(work: UnitOfWork, holds: Holds) -> dict[UUID, list[LapsedHold]]:
        async with resources.database.unit_of_work(shop.id) as other:
            await reservations.change(
                other, "RSV-1", ReservationStatus.RESCHEDULED, new_code="RSV-2", caller=None, now=clock.now
            )
        return await try_lock(work, holds)

    async with resources.database.unit_of_work(shop.id) as work:
        await run(work.connection, ReservationRepository(work).locking(["RSV-1"]))
        assert await expire() == 0
    with monkeypatch.context() as patched:
        patched.setattr(expiry_repository, "try_lock_reservations", lock_after_a_move)
        # A change of the hold now locks RSV-2.
        assert await expire() == 0
    assert await expire() == 1


async def test_a_confirmation_whose_reservation_moves_back_and_forth_causes_no_deadlock(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant, superuser: psycopg.Connection
) -> None:
    async with resources.database.unit_of_work(shop.id) as work:
        # A transaction that locks both codes locks this one last.
        there, here = sorted(("RSV-1", "RSV-2"), key=ReservationRepository(work)._lock_number)
        held = await create_redemption(client, shop, "FREE", here, holdSeconds=60)
        await reservations.change(work, here, ReservationStatus.RESCHEDULED, new_code=there, caller=None, now=NOW)
        confirming = asyncio.create_task(act(client, shop, held, "confirm"))
        await until_blocked(superuser)
        moving = asyncio.create_task(update_reservation(client, shop, there, "Rescheduled", reservationCode=here))
        await until_blocked(superuser, count=2)
    assert [(await each).status_code for each in (confirming, moving)] == [200, 200]
    assert await status_of(client, shop, held) == "Redeemed"


async def test_a_redemption_of_a_limited_code_waits_for_a_lock_and_is_not_refused_as_used_up(
    client: httpx.AsyncClient, shop: Tenant, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    await create_redemption(client, shop, "FIRST", "RSV-0")
    with rivalling(addresses) as rival:
        lock(rival, shop, "FIRST")
        # It takes the last use, and its rollback gives it back.
        rival.execute(
            "update promo_codes set redemption_count = max_redemptions where organization_id = %s and name = 'FIRST'",
            [shop.id],
        )
        waiting = asyncio.create_task(redeem(client, shop, "FIRST", "RSV-1"))
        await until_blocked(superuser)
        assert not waiting.done()
    assert (await waiting).status_code == 201
    assert reasons(await redeem(client, shop, "FIRST", "RSV-2")) == [("/code", "UsedUp")]


@pytest.mark.parametrize("code", ["V1", "EACH"])
async def test_a_redemption_of_a_voucher_or_with_a_limit_for_each_waits_for_the_lock_of_another_one(
    client: httpx.AsyncClient, shop: Tenant, addresses: Addresses, superuser: psycopg.Connection, code: str
) -> None:
    with rivalling(addresses) as rival:
        lock(rival, shop, code)
        waiting = asyncio.create_task(redeem(client, shop, code))
        await until_blocked(superuser)
        await create_redemption(client, shop, "V2", "RSV-2")
        assert not waiting.done()
    assert (await waiting).status_code == 201


async def test_a_voucher_that_was_archived_while_a_redemption_waited_for_it_is_refused(
    client: httpx.AsyncClient, shop: Tenant, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    with rivalling(addresses) as rival:
        rival.execute("update vouchers set is_archived = true where organization_id = %s and code = 'V1'", [shop.id])
        waiting = asyncio.create_task(redeem(client, shop, "V1"))
        await until_blocked(superuser)
        rival.commit()
    assert (await waiting).status_code == 409


@pytest.mark.parametrize("code", ["V1", "FIRST"])
async def test_a_cancellation_waits_for_its_code_before_it_changes_the_redemption(
    client: httpx.AsyncClient, shop: Tenant, addresses: Addresses, superuser: psycopg.Connection, code: str
) -> None:
    redemption = await create_redemption(client, shop, code)
    with rivalling(addresses) as rival:
        lock(rival, shop, code)
        cancelling = asyncio.create_task(act(client, shop, redemption, "cancel"))
        await until_blocked(superuser)
        # A transaction that has locked the code goes on to its redemptions, and must not find this one changed.
        query = "select from redemptions where organization_id = %s and id = %s for update nowait"
        rival.execute(query, [shop.id, redemption["id"]])
    assert (await cancelling).status_code == 200


async def test_a_redemption_of_a_global_code_with_only_a_limit_for_each_organization_waits_for_its_lock(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    platform, name = add_platform(superuser, shop), f"SHARE{uuid4().hex[:8]}"
    terms = {"max_redemptions": None, "max_redemptions_per_organization": 1}
    await add_promo_codes(resources, platform, percent_code(platform, name, store_exam_ids=(), **terms), now=NOW)
    with rivalling(addresses) as rival:
        lock(rival, platform, name)
        waiting = asyncio.create_task(redeem(client, shop, name))
        await until_blocked(superuser)
    assert (await waiting).status_code == 201
    assert reasons(await redeem(client, shop, name, "RSV-2")) == [("/code", "UsedUpForOrganization")]


def draft(reservation: str) -> RedemptionDraft:
    return RedemptionDraft(
        code="FREE",
        reservation_code=reservation,
        product=ProductChoice(store_exam_code="NCA-GENL"),
        candidate=Candidate(
            person_id="P-1", client_candidate_id="C-1", first_name="Ada", last_name="Byron", email="ada@example.com"
        ),
        hold=None,
    )


SHARED = ("promo_codes", "promo_code_store_exams", "store_exams", "product_bundles", "api_keys")


def locked_rows(superuser: psycopg.Connection, tenant: Tenant) -> dict[str, list[tuple[str]]]:
    """For each row that redemptions share, the transaction that locked or changed it, or 0."""
    columns = dict.fromkeys(SHARED, "organization_id") | {"organizations": "id"}
    query = "select distinct xmax::text from {} where {} = %s order by 1"
    return {
        table: superuser.execute(query.format(table, column), [tenant.id]).fetchall()
        for table, column in columns.items()
    }


async def test_redemptions_of_an_unlimited_code_share_no_lock(
    resources: Resources, shop: Tenant, superuser: psycopg.Connection
) -> None:
    open_ = "select count(*) from pg_locks join pg_stat_activity using (pid) where datname = current_database()"
    async with (
        asyncio.timeout(60),
        resources.database.unit_of_work(shop.id) as first,
        resources.database.unit_of_work(shop.id) as second,
    ):
        for work, reservation in ((first, "RSV-1"), (second, "RSV-2")):
            (made_,) = await redeeming.redeem_all(work, [draft(reservation)], now=NOW)
            assert isinstance(made_, Redemption)
        # Both transactions are open: neither waits, and neither blocks another one.
        assert superuser.execute(f"{open_} and (not granted or locktype = 'tuple')").fetchone() == (0,)
        for table in SHARED:
            superuser.execute(f"select from {table} where organization_id = %s for update nowait", [shop.id])
        superuser.execute("select from organizations where id = %s for update nowait", [shop.id])


@pytest.mark.parametrize("key", [None, "booking-1"])
async def test_redemptions_of_an_unlimited_code_write_nothing_to_a_shared_row(
    client: httpx.AsyncClient, shop: Tenant, superuser: psycopg.Connection, key: str | None
) -> None:
    before = locked_rows(superuser, shop)
    headers = shop.api_key | ({"Idempotency-Key": key} if key else {})
    held = (await client.post(URL, json=body("FREE", holdSeconds=60), headers=headers)).json()
    for action in ("confirm", "cancel"):
        headers = shop.api_key | ({"Idempotency-Key": f"{key}-{action}"} if key else {})
        assert (await client.post(f"{URL}/{held['id']}/{action}", headers=headers)).status_code == 200
    assert locked_rows(superuser, shop) == before
