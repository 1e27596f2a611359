"""The erasure of a person: nothing names them afterwards, and nothing else changes."""

import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock, own_database
from tests.support import citus, dying
from tests.support.factories import Tenant, add_platform, add_promo_codes, create_tenant, percent_code
from tests.support.management_requests import ROOT, problem
from tests.support.redemption_requests import act, copy_redemption, create_redemption, reasons, redeem
from tests.support.reporting import open_shop, roll_up
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_user

from tessera.api.serving.resources import Resources
from tessera.audit.seals import service as seals
from tessera.identity.rules import PLATFORM_ID, FunctionPoint
from tessera.kit.db.personal_data import personal_data_map
from tessera.kit.errors import Invalid
from tessera.kit.personal_data import Content
from tessera.metadata import metadata
from tessera.persons.erasures import lists as erasure_list
from tessera.persons.erasures import service as erasures
from tessera.persons.erasures.lists import Applied
from tessera.persons.erasures.rules import Eraser, Values
from tessera.provision import Addresses
from tessera.redemptions.ledger import service as ledger
from tessera.redemptions.reservations.repository import lock_number_of
from tessera.reports import service as reports

PERSON = "CAND-4711"
EMAIL = "Lin.Meitner@Example.com"
LIN = {
    "personId": PERSON,
    "clientCandidateId": "CC/LINDIWE",
    "firstName": "Lindiwe",
    "lastName": "Meitner",
    "email": EMAIL,
}
# Another candidate, whose person id begins like the first one's.
GRACE = LIN | {
    "personId": "CAND-47111",
    "clientCandidateId": "CC/2",
    "firstName": "Grace",
    "lastName": "Hahn",
    "email": "n@example.com",
}
TEXT = f"For Lindiwe Meitner (CAND-4711, lin.meitner@example.com), not for {GRACE['email']} or CAND-47111."
# What a search must not find.
TRACES = ("cand-4711", "lindiwe", "meitner", "4711 0815")
UNKNOWN = problem(404, "not-found", "Not found", "There is no such person.")


def url(person: str, action: str) -> str:
    return f"{ROOT}/persons/{quote(person, safe='')}/{action}"


async def export(client: httpx.AsyncClient, tenant: Tenant, person: str) -> httpx.Response:
    return await client.get(url(person, "export"), headers=tenant.bearer)


async def erase(client: httpx.AsyncClient, tenant: Tenant, person: str, **headers: str) -> httpx.Response:
    return await client.post(url(person, "erasure"), headers=tenant.bearer | headers)


def contents(superuser: psycopg.Connection[Any], tenant: Tenant) -> Iterator[tuple[str, str]]:
    """Every value of every column of every table as text in lower case, without the rows of other organizations."""
    for table, column, kind, of_tenants in superuser.execute(
        "select c.oid::regclass::text, quote_ident(attname), atttypid::regtype::text, exists ("
        " select from pg_attribute o where o.attrelid = c.oid and o.attname = 'organization_id') from pg_class c"
        " join pg_attribute a on attrelid = c.oid and attnum > 0 and not attisdropped"
        " where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
    ).fetchall():
        text = f"encode({column}, 'escape')" if kind == "bytea" else f"{column}::text"
        own = f" and organization_id = '{tenant.id}'" if of_tenants else ""
        query = f"select lower({text}) from {table} where {column} is not null{own}"
        for (value,) in superuser.execute(query).fetchall():
            yield f"{table}.{column}", value


def traces(superuser: psycopg.Connection[Any], tenant: Tenant) -> dict[str, int]:
    """The number of values in each column that name the person."""
    found: dict[str, int] = {}
    for column, value in contents(superuser, tenant):
        if any(trace in value.replace("cand-47111", "") for trace in TRACES):
            found[column] = found.get(column, 0) + 1
    return found


async def send(client: httpx.AsyncClient, headers: dict[str, str], method: str, path: str, **body: Any) -> Any:
    """The body of the response to a request with an Idempotency-Key, which must succeed."""
    key = {"Idempotency-Key": f"{method} {path} {sorted(body)}", "If-Match": "*"}
    answer = await client.request(method, path, json=body or None, headers=headers | key)
    assert answer.is_success, (path, answer.text)
    return answer.json()


# A list of erasures asks every organization of a database, and a trace may be in any table.
addresses, resources, app = own_database("erasures")


@pytest.fixture
async def planted(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection[Any]
) -> Tenant:
    """An organization in which the person occurs wherever a person can, with sealed and unsealed audit entries."""
    partner = await open_shop(resources, tenant)
    await plant_promo_code(client, tenant)
    await plant_redemptions(client, tenant)
    await plant_vouchers(client, tenant, str(partner))
    await roll_up(resources, tenant, now=NOW + timedelta(days=1))
    plant_audit_entries(superuser, tenant, 1)
    async with resources.database.unit_of_work(tenant.id) as work:
        await seals.seal(work, [work.organization_id], now=NOW)
    await plant_user(client, resources, tenant)
    plant_texts(superuser, tenant)
    return tenant


def personal_columns() -> dict[str, str]:
    """What the columns hold that can name a person, by table and column."""
    rows = personal_data_map(metadata)
    return {f"{each.table}.{each.column}": each.holds for each in rows if each.holds != Content.REFERENCE}


def plant_texts(superuser: psycopg.Connection[Any], tenant: Tenant) -> None:
    """Name the person in all notes and metadata that do not yet."""
    values = {Content.TEXT: TEXT, Content.METADATA: json.dumps({"contact": EMAIL})}
    named = traces(superuser, tenant)
    for column, holds in personal_columns().items():
        table, _, name = column.partition(".")
        if column not in named:
            update = f"update {table} set {name} = %s where organization_id = %s"
            assert superuser.execute(update, [values[Content(holds)], tenant.id]).rowcount, column


def plant_audit_entries(superuser: psycopg.Connection[Any], tenant: Tenant, count: int) -> None:
    """Add entries as earlier releases did."""
    before = {"email": EMAIL, "first_name": "Lindiwe", "last_name": "Meitner", "notes": TEXT, "version": 1}
    after = before | {"version": 2}
    superuser.execute(
        "with entries as (insert into audit_entries (organization_id, id, at, actor_kind, actor_name, token_issuer,"
        " action, entity_kind, entity_id, before, after) select %s, gen_random_uuid(), %s, 'User', %s, %s,"
        " 'Updated', 'User', %s, %s, %s from generate_series(1, %s) returning organization_id, id)"
        " insert into audit_unsealed select organization_id, id from entries",
        [tenant.id, NOW, EMAIL, EMAIL, uuid4(), json.dumps(before), json.dumps(after), count],
    )


async def plant_promo_code(client: httpx.AsyncClient, tenant: Tenant) -> None:
    limits = {"maxRedemptions": 10, "maxRedemptionsPerCandidate": 1}
    terms = {"discountPercent": 10, "expirationDateUtc": "2027-01-01T00:00:00Z", "isActive": True} | limits
    restriction = {"restrictToEmailAddresses": True, "emailAddresses": [EMAIL, GRACE["email"]]}
    named = {"promoCodeName": "LINSCODE", "storeExamCodes": ["NCA-GENL"], "notes": TEXT}
    await send(client, tenant.bearer, "POST", "/promo-codes", **named, **terms, **restriction)
    codes = (await client.get(f"{ROOT}/promo-codes", params={"search": "LINS"}, headers=tenant.bearer)).json()["data"]
    batch = {"quantity": 1, "length": 6, "discountPercent": 10, "storeExamCodes": ["NCA-GENL"], "notes": TEXT}
    await send(client, tenant.bearer, "POST", f"{ROOT}/promo-code-batches", **batch)
    metadata = {"contact": "lin.meitner@example.com", "kind": "exam", "name": "Meitner, Lindiwe"}
    await send(client, tenant.bearer, "PUT", f"{ROOT}/promo-codes/{codes[0]['id']}/metadata", metadata=metadata)


async def plant_redemptions(client: httpx.AsyncClient, tenant: Tenant) -> None:
    redeemed = await send(client, tenant.api_key, "POST", "/storefront/v1/redemptions", **redemption("LINSCODE", "R-1"))
    metadata = {"phone": "4711 0815"}
    await send(client, tenant.bearer, "PUT", f"{ROOT}/redemptions/{redeemed['id']}/metadata", metadata=metadata)
    await create_redemption(client, tenant, "LINSCODE", "R-2", candidate=GRACE)
    await create_redemption(client, tenant, "SPRING", "R-3", candidate=LIN, holdSeconds=600)
    await create_redemption(client, tenant, "PAID", "R-4", candidate=LIN)


async def plant_vouchers(client: httpx.AsyncClient, tenant: Tenant, partner_id: str) -> None:
    vouchers = [{"code": "SPARE", "recipientEmail": EMAIL}]
    await send(client, tenant.bearer, "POST", f"{ROOT}/vouchers/bulk", action="Assign", vouchers=vouchers)
    programs = (await client.get(f"{ROOT}/voucher-programs", headers=tenant.bearer)).json()["data"]
    buyer = {"purchasedByFirstName": "Lindiwe", "purchasedByLastName": "Meitner", "purchasedByEmail": EMAIL}
    order = {"partnerId": partner_id, "programId": programs[0]["id"], "quantity": 2, "notes": TEXT}
    await send(client, tenant.bearer, "POST", f"{ROOT}/voucher-purchases", **order, **buyer)


async def plant_user(client: httpx.AsyncClient, resources: Resources, tenant: Tenant) -> None:
    as_lin = await add_user(resources, tenant, EMAIL, function_points=tuple(FunctionPoint))
    users = (await client.get(f"{ROOT}/users", headers=tenant.bearer)).json()["data"]
    lin = next(user for user in users if user["email"] == EMAIL)
    await send(client, as_lin, "PUT", f"{ROOT}/users/{lin['id']}", **names(lin))
    await send(client, as_lin, "POST", f"{ROOT}/tokens", email=tenant.user_email, days=1)
    await send(client, tenant.bearer, "POST", f"{ROOT}/users/{lin['id']}/deactivate")


def names(user: dict[str, Any]) -> dict[str, Any]:
    kept = {name: user[name] for name in ("email", "functionPoints")}
    return kept | {"firstName": "Lindiwe", "lastName": "Meitner"}


def redemption(code: str, reservation: str) -> dict[str, Any]:
    return {"code": code, "reservationCode": reservation, "storeExamCode": "NCA-GENL", "candidate": LIN}


async def numbers(resources: Resources, tenant: Tenant, client: httpx.AsyncClient) -> list[Any]:
    """Reports, counts and balances, which an erasure must not change."""
    seen = []
    for path in ("reports/redemptions?by=code&from=2026-06-01", "reports/vouchers", "voucher-purchases", "promo-codes"):
        body = (await client.get(f"{ROOT}/{path}", headers=tenant.bearer)).json()
        seen.append([body.get("total"), [countable(each) for each in body["data"]]])
    async with resources.database.unit_of_work(tenant.id) as work:
        verdict = await ledger.verify(work)
        seen.append([verdict, await reports.list_discrepancies(work)])
    assert not verdict.discrepancies
    return seen


def countable(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if isinstance(value, int | float) and name != "version"}


async def findings(resources: Resources, tenant: Tenant, *, seal: bool) -> list[Any]:
    async with resources.database.unit_of_work(tenant.id) as work:
        if seal:
            await seals.seal(work, [work.organization_id], now=NOW)
        return [*(await seals.verify(work)).findings]


async def test_nothing_names_an_erased_person(
    capfd: pytest.CaptureFixture[str],
    client: httpx.AsyncClient,
    resources: Resources,
    planted: Tenant,
    superuser: psycopg.Connection[Any],
) -> None:
    found, before = traces(superuser, planted), await numbers(resources, planted, client)
    assert found.keys() == personal_columns().keys()
    answer = await erase(client, planted, PERSON)
    assert answer.status_code == 200, answer.text
    assert {name: answer.json()[name] for name in ("liveHolds", "liveRedemptions", "unusedVouchers")} == {
        "liveHolds": 1,
        "liveRedemptions": 2,
        "unusedVouchers": 1,
    }
    assert traces(superuser, planted) == {}
    assert await numbers(resources, planted, client) == before
    assert await findings(resources, planted, seal=False) == []
    assert await findings(resources, planted, seal=True) == []
    for person in (PERSON, EMAIL):
        assert status_and_body(await export(client, planted, person)) == UNKNOWN
        assert status_and_body(await erase(client, planted, person)) == UNKNOWN
    logged = "".join(capfd.readouterr()).lower()
    assert "/persons/{personid}/erasure" in logged
    assert [trace for trace in TRACES if trace in logged] == []


async def test_others_and_the_other_words_of_a_text_stay(client: httpx.AsyncClient, planted: Tenant) -> None:
    others = (await export(client, planted, "CAND-47111")).json()
    assert (await erase(client, planted, EMAIL)).status_code == 200
    assert (await export(client, planted, "CAND-47111")).json()["records"] == others["records"]
    (code,) = (await client.get(f"{ROOT}/promo-codes", params={"search": "LINS"}, headers=planted.bearer)).json()[
        "data"
    ]
    code = (await client.get(f"{ROOT}/promo-codes/{code['id']}", headers=planted.bearer)).json()
    assert code["notes"] == "For erased (erased, erased), not for n@example.com or CAND-47111."
    assert code["metadata"] == {"contact": "erased", "kind": "exam", "name": "erased"}
    assert code["emailAddresses"][1:] == ["n@example.com"]


async def test_an_erased_person_has_no_more_uses_than_before(client: httpx.AsyncClient, planted: Tenant) -> None:
    held = await client.get("/storefront/v1/redemptions", params={"status": "Held"}, headers=planted.api_key)
    assert (await erase(client, planted, PERSON)).status_code == 200
    # The code is restricted to the address, so the person gets it back.
    codes = (await client.get(f"{ROOT}/promo-codes", params={"search": "LINS"}, headers=planted.bearer)).json()["data"]
    await client.put(
        f"{ROOT}/promo-codes/{codes[0]['id']}",
        json={name: codes[0][name] for name in ("discountPercent", "maxRedemptions", "maxRedemptionsPerCandidate")}
        | {"storeExamCodes": ["NCA-GENL"], "expiresAt": codes[0]["expiresAt"], "emailAddresses": []},
        headers=planted.bearer | {"If-Match": "*"},
    )
    again = await redeem(client, planted, "LINSCODE", "R-9", candidate=LIN)
    assert (again.status_code, reasons(again)) == (409, [("/code", "UsedUpForCandidate")])
    # A live hold is confirmed by its id.
    confirmed = await act(client, planted, held.json()["data"][0], "confirm")
    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "Redeemed")


async def test_a_global_code_counts_the_uses_of_an_erased_person_and_those_of_another_organization_stay(
    client: httpx.AsyncClient, resources: Resources, superuser: psycopg.Connection[Any], tenant: Tenant
) -> None:
    platform, other = add_platform(superuser, tenant), await create_tenant(resources, now=NOW)
    terms = {"store_exam_ids": (), "max_redemptions_per_candidate": 1}
    code = percent_code(platform, f"G{uuid4().hex[-20:].upper()}", **terms)
    await add_promo_codes(resources, platform, code, now=NOW)
    for each in (tenant, other):
        await create_redemption(client, each, code.name, "R-1", candidate=LIN)
    assert (await erase(client, tenant, PERSON)).status_code == 200
    assert traces(superuser, tenant) == {}
    again = await redeem(client, tenant, code.name, "R-2", candidate=LIN)
    assert (again.status_code, reasons(again)) == (409, [("/code", "UsedUpForCandidate")])
    theirs = await client.get("/storefront/v1/redemptions", headers=other.api_key)
    assert [each["candidate"]["personId"] for each in theirs.json()["data"]] == [PERSON]


async def test_of_two_erasures_at_once_one_finds_nobody(client: httpx.AsyncClient, planted: Tenant) -> None:
    answers = await asyncio.gather(*(erase(client, planted, person) for person in (PERSON, EMAIL)))
    assert sorted(answer.status_code for answer in answers) == [200, 404]


async def test_an_erasure_that_is_killed_at_any_statement_is_done_or_not_begun(
    client: httpx.AsyncClient, resources: Resources, addresses: Addresses, planted: Tenant, superuser: Any
) -> None:
    before, counts = traces(superuser, planted), await numbers(resources, planted, client)
    arguments, killed, kept = ("person", "erase", PERSON, "--yes", "--organization", planted.name), 0, 0
    for moment in range(3, 400, 12):
        citus.recover(superuser)
        with dying.process_that_dies(
            dying.command, addresses.application, arguments, organization=planted.id, at=moment
        ) as process:
            await asyncio.to_thread(process.join, 60)
        killed += process.exitcode == -signal.SIGKILL
        found = traces(superuser, planted)
        assert found in (before, {})
        kept += found == before
        if process.exitcode != -signal.SIGKILL:
            break
    assert (process.exitcode, found) in ((0, {}), (1, {}))
    assert min(killed, kept) > 5
    assert await numbers(resources, planted, client) == counts
    assert await findings(resources, planted, seal=True) == []


async def test_a_repeated_erasure_under_a_key_gets_the_first_answer(client: httpx.AsyncClient, planted: Tenant) -> None:
    first, again = [await erase(client, planted, PERSON, **{"Idempotency-Key": "once"}) for _ in range(2)]
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")


async def test_an_active_user_must_be_deactivated_first(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    await add_user(resources, tenant, EMAIL)
    answer = await erase(client, tenant, EMAIL)
    assert (answer.status_code, answer.json()["detail"]) == (409, "The user is Active.")


async def test_an_unknown_person_is_not_found(client: httpx.AsyncClient, planted: Tenant) -> None:
    for person in ("nobody", "nobody@example.com", "%", "erased", "x" * 5000, "\x7f", "\0"):
        assert (person, status_and_body(await export(client, planted, person))) == (person, UNKNOWN)
        assert (person, status_and_body(await erase(client, planted, person))) == (person, UNKNOWN)


async def test_a_person_of_another_organization_is_unknown(
    client: httpx.AsyncClient, planted: Tenant, other_tenant: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    before = traces(superuser, planted)
    for person in (PERSON, EMAIL):
        assert status_and_body(await erase(client, other_tenant, person)) == UNKNOWN
    assert traces(superuser, planted) == before


async def test_later_tampering_with_an_entry_that_an_erasure_changed_is_found(
    client: httpx.AsyncClient, resources: Resources, planted: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    assert (await erase(client, planted, PERSON)).status_code == 200
    assert await findings(resources, planted, seal=True) == []
    tampering = "update audit_entries set before = '{}' where organization_id = %s and digests is null"
    superuser.execute(tampering, [planted.id])
    assert [str(finding.flaw) for finding in await findings(resources, planted, seal=False)] == ["Altered"]


async def test_a_restored_backup_from_before_the_erasure_is_erased_again(
    client: httpx.AsyncClient, resources: Resources, planted: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    assert (await erase(client, planted, PERSON)).status_code == 200
    listed = json.loads(json.dumps(await erasure_list.collect(resources.database)))
    assert not any(trace in str(listed).lower() for trace in TRACES)
    # As in the backup, the person is known, and nobody was erased.
    for table in ("erasures", "erasure_keys"):
        superuser.execute(f"delete from {table} where organization_id = %s", [planted.id])
    await create_redemption(client, planted, "SPRING", "R-8", candidate=LIN)
    users = "update users set email = %s, is_active = true where email like 'erased%%' and organization_id = %s"
    superuser.execute(users, [EMAIL, planted.id])
    assert traces(superuser, planted) != {}
    again = [await erasure_list.apply(resources.database, erasure_list.parse(listed), now=NOW) for _ in range(2)]
    assert again == [Applied(1, []), Applied(0, [])]
    assert traces(superuser, planted) == {}
    assert status_and_body(await export(client, planted, EMAIL)) == UNKNOWN


async def test_a_backup_from_between_two_erasures_of_a_person_is_erased_again(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock, superuser: psycopg.Connection[Any]
) -> None:
    await open_shop(resources, tenant)
    for day in range(2):
        await create_redemption(client, tenant, "SPRING", f"R-{day}", candidate=LIN)
        clock.now = NOW + timedelta(days=day)
        assert (await erase(client, tenant, PERSON)).status_code == 200
    listed = erasure_list.parse(await erasure_list.collect(resources.database))
    # As in the backup, the person has come back after the first erasure.
    superuser.execute("update erasures set erased_at = %s where organization_id = %s", [NOW, tenant.id])
    await create_redemption(client, tenant, "SPRING", "R-3", candidate=LIN)
    again = [await erasure_list.apply(resources.database, listed, now=clock.now) for _ in range(2)]
    assert again == [Applied(1, []), Applied(0, [])]
    assert traces(superuser, tenant) == {}


async def test_an_address_that_was_spared_is_spared_after_a_restore(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    await open_shop(resources, tenant)
    await add_user(resources, tenant, EMAIL)
    await create_redemption(client, tenant, "SPRING", "R-1", candidate=LIN)
    await create_redemption(client, tenant, "SPRING", "R-2", candidate=GRACE | {"email": EMAIL})
    assert (await erase(client, tenant, PERSON)).status_code == 200
    listed = erasure_list.parse(await erasure_list.collect(resources.database))
    # As in the backup, the other candidate has not come yet.
    for table in ("erasures", "erasure_keys"):
        superuser.execute(f"delete from {table} where organization_id = %s", [tenant.id])
    superuser.execute("update redemptions set email = null where organization_id = %s", [tenant.id])
    await create_redemption(client, tenant, "SPRING", "R-3", candidate=LIN)
    assert await erasure_list.apply(resources.database, listed, now=NOW) == Applied(1, [])
    query = "select is_active from users where email = %s and organization_id = %s"
    users = superuser.execute(query, [EMAIL, tenant.id]).fetchall()
    assert (users, status_and_body(await export(client, tenant, PERSON))) == ([(True,)], UNKNOWN)


def test_an_id_that_is_a_word_is_erased_only_from_fields_for_ids() -> None:
    eraser = Eraser(Values(ids=frozenset({"Active"})))
    body = {"status": "Active", "candidate": {"personId": "Active", "firstName": "Lin"}, "tags": ["Active"]}
    assert eraser.json(body) == body | {"candidate": {"personId": "erased", "firstName": "erased"}}
    assert (eraser.text("Active"), eraser.text("Active today")) == ("Active", "Active today")
    assert (eraser.names("personId", "Active"), eraser.names("status", "Active")) == (True, False)


async def test_only_a_hold_of_a_voucher_waits_for_an_erasure(
    client: httpx.AsyncClient, resources: Resources, planted: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    await create_redemption(client, planted, "SPARE", "R-5", candidate=LIN, holdSeconds=600)
    async with resources.database.unit_of_work(planted.id) as work:
        await erasures.erase(work, PERSON, now=NOW)
        numbers = {code: lock_number_of(planted.id, code) for code in ("R-1", "R-3", "R-4", "R-5")}
        query = "select pg_try_advisory_xact_lock(%s)"
        free = {code for code, number in numbers.items() if superuser.execute(query, [number]).fetchone() == (True,)}
    assert free == {"R-1", "R-3", "R-4"}


TOO_MANY = problem(409, "conflict", "Conflict", "More than 1,000 records of one kind are about this person.")


async def test_a_person_with_too_many_spellings_is_refused(
    client: httpx.AsyncClient, planted: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    copy_redemption(superuser, planted, 1001, reservation="R-1", first_name="Lin{n}", email="")
    assert status_and_body(await erase(client, planted, PERSON)) == TOO_MANY


async def test_a_person_with_too_many_vouchers_on_hold_is_refused(
    client: httpx.AsyncClient, planted: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    id_ = "00000000-0000-0000-0000-{n}"
    with superuser.transaction():
        superuser.execute("set local session_replication_role = replica")  # the vouchers need not exist
        copy_redemption(
            superuser,
            planted,
            1001,
            reservation="R-4",
            status="Held",
            held_until="9999-01-01T00:00:00Z",  # no job may find them lapsed
            voucher_id=id_,
            reservation_id=id_,
        )
        superuser.execute(
            "insert into reservations (organization_id, id, code, status, created_at, updated_at)"
            " select organization_id, reservation_id, 'R' || reservation_id, 'Created', created_at, created_at"
            " from redemptions where organization_id = %s and voucher_id = reservation_id",
            [planted.id],
        )
    assert status_and_body(await erase(client, planted, PERSON)) == TOO_MANY


async def test_erasures_that_change_the_same_entries_in_any_order_of_their_times_leave_a_sound_log(
    resources: Resources, planted: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    plant_audit_entries(superuser, planted, 1001)
    for person, at in ((PERSON, NOW + timedelta(seconds=1)), (GRACE["personId"], NOW)):
        async with resources.database.unit_of_work(planted.id) as work:
            await erasures.erase(work, person, now=at)
    assert await findings(resources, planted, seal=True) == []
    sizes = superuser.execute(
        "select count(digest) from audit_entries, jsonb_object_keys(after -> 'amended_entries') digest"
        " where organization_id = %s and action = 'Erased' group by id order by 1",
        [planted.id],
    ).fetchall()
    assert sizes == [(2,), (2,), (1000,), (1000,)]


async def test_a_voucher_assigned_to_and_used_by_the_person_is_counted_once(
    client: httpx.AsyncClient, planted: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    assigned = "update vouchers set recipient_email = %s, assigned_at = now() where organization_id = %s"
    superuser.execute(assigned, [EMAIL, planted.id])
    vouchers = superuser.execute("select count(*) from vouchers where organization_id = %s", [planted.id]).fetchone()
    assert vouchers == ((await erase(client, planted, PERSON)).json()["changed"]["vouchers"],)


SECRET, DIGEST = {"key": "00" * 32}, {"00" * 32: "2026-01-01T00:00:00Z"}
DAMAGED = [
    SECRET | {"key": "00", "erasures": DIGEST},
    SECRET | {"erasures": {"00": "2026-01-01T00:00:00Z"}},
    SECRET | {"erasures": {"00" * 32: "2026-01-01T00:00:00"}},
]


@pytest.mark.parametrize(
    "content",
    [
        *(None, [], {}, {"format": 2}, {"format": 1, "organizations": {"x": {}}}),
        *({"format": 1, "organizations": {str(PLATFORM_ID): each}} for each in DAMAGED),
    ],
)
def test_a_damaged_list_of_erasures_is_refused(content: Any) -> None:
    with pytest.raises(Invalid):
        erasure_list.parse(content)


@pytest.mark.parametrize(
    ("text", "erased"),
    [
        ("\u0130\u0130 LINDIWE MEITNER, \u0130", "\u0130\u0130 erased, \u0130"),  # longer in lower case
        ("Lindiwe Meitners, Lindiwe Meitner.", "Lindiwe Meitners, erased."),
        ("Meitner, Lindiwe Meitner, Lindiwe", "erased erased"),
        ("Lindiwe Meitner Okoro", "erased"),  # the longest of her names
        ("a.lin@example.com lin@example.com", "a.lin@example.com erased"),
    ],
)
def test_a_text_loses_whole_words_that_name_the_person(text: str, erased: str) -> None:
    names = frozenset({("Lindiwe", "Meitner"), ("Lindiwe", "Meitner Okoro"), ("Lin", "X")})
    assert Eraser(Values(names=names, emails=frozenset({"lin@example.com"}))).text(text) == erased


async def test_texts_are_searched_in_a_thread(
    client: httpx.AsyncClient, planted: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    searchers = list[int]()
    search = Eraser.text

    def observed(eraser: Eraser, text: str) -> str:
        searchers.append(threading.get_ident())
        return search(eraser, text)

    monkeypatch.setattr(Eraser, "text", observed)
    assert (await erase(client, planted, PERSON)).status_code == 200
    assert searchers
    assert threading.get_ident() not in searchers
