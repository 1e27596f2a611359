"""Vouchers through the management API: one by one, and a thousand in a request."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant
from tests.support.management_requests import (
    RIGHT_IS_MISSING,
    audit_entries_of,
    headers_without_rights,
    if_match,
    invalid,
    not_found,
    problem,
    read_all_pages,
)
from tests.support.recording import record_statements
from tests.support.redemption_requests import act, create_redemption, update_reservation
from tests.support.responses import status_and_body
from tests.support.voucher_factories import (
    add_partner,
    add_program,
    add_purchase,
    add_vouchers,
    fill_vouchers,
    usage,
    voucher,
)
from tests.support.voucher_management import VOUCHERS, change_resource

from tessera.api.serving.resources import Resources
from tessera.redemptions.ledger import service as ledger
from tessera.vouchers.issued.service import NewVoucher

NOBODY = UUID(int=7)
BULK = f"{VOUCHERS}/bulk"
ADA = {"recipientEmail": "ada@example.com"}
MOVES = {
    "assign": ADA,
    "unassign": {},
    "switch-on": {},
    "switch-off": {},
    "change-expiry": {"expiresAt": "2030-01-01T00:00:00Z"},
    "archive": {},
}


class Shelf:
    """A tenant's vouchers by their codes, all of one purchase."""

    def __init__(self, tenant: Tenant, partner_id: UUID, purchase_id: UUID, vouchers: list[NewVoucher]) -> None:
        self.tenant = tenant
        self.partner_id = partner_id
        self.purchase_id = purchase_id
        self.ids = {each.code: str(each.id) for each in vouchers}

    def url(self, code: str) -> str:
        return f"{VOUCHERS}/{self.ids[code]}"


@pytest.fixture
async def shelf(resources: Resources, tenant: Tenant) -> Shelf:
    partner = await add_partner(resources, tenant, "Acme Corp")
    program = await add_program(resources, tenant, "Spring")
    purchase = await add_purchase(resources, tenant, partner, program, "VP-1")
    vouchers = [
        voucher(purchase, partner, "GOOD"),
        voucher(purchase, partner, "OTHER"),
        voucher(purchase, partner, "SPENT", **usage(tenant.exam_ids["NCA-GENL"], "RSV-1")),
        voucher(purchase, partner, "AWAY", is_archived=True),
        voucher(purchase, partner, "LATE", expires_at=NOW),
        voucher(purchase, partner, "OFF", is_active=False),
    ]
    await add_vouchers(resources, tenant, *vouchers)
    return Shelf(tenant, partner, purchase, vouchers)


async def codes_of(client: httpx.AsyncClient, tenant: Tenant, query: str) -> list[str]:
    """The codes in a whole list, read one by one through its links."""
    result: list[str] = []
    link: str | None = f"{VOUCHERS}?limit=1&{query}"
    while link:
        answer = await client.get(link, headers=tenant.bearer)
        assert answer.status_code == 200, answer.text
        result += [each["code"] for each in answer.json()["data"]]
        link = answer.json()["nextLink"]
    return result


def operations(voucher_id: object) -> list[tuple[str, str, dict[str, Any]]]:
    one = f"{VOUCHERS}/{voucher_id}"
    return [("GET", one, {}), *(("POST", f"{one}/{move}", body) for move, body in MOVES.items())]


def wrong_state(state: str) -> tuple[int, dict[str, Any]]:
    return problem(409, "wrong-state", "Wrong state", f"The voucher is {state}.", state=state)


async def test_without_the_function_point_every_operation_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = await headers_without_rights(client, tenant)
    expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    for method, url, body in [("GET", VOUCHERS, {}), ("POST", BULK, {}), *operations(NOBODY)]:
        assert status_and_body(await client.request(method, url, headers=headers, json=body)) == expected


async def test_another_organizations_vouchers_are_not_there(
    client: httpx.AsyncClient, shelf: Shelf, other_tenant: Tenant
) -> None:
    for voucher_id in (shelf.ids["GOOD"], NOBODY):
        for method, url, body in operations(voucher_id):
            answer = await client.request(method, url, headers=if_match("*", other_tenant), json=body)
            assert status_and_body(answer) == not_found("There is no such voucher.")
    assert status_and_body(await client.get(VOUCHERS, headers=other_tenant.bearer)) == (
        200,
        {"data": [], "nextLink": None, "nextCursor": None},
    )
    body = {"action": "Archive", "vouchers": [{"id": shelf.ids["GOOD"]}, {"code": "GOOD"}]}
    result = (await client.post(BULK, json=body, headers=other_tenant.bearer)).json()
    assert (result["done"], [each["reason"]["code"] for each in result["results"]]) == (0, ["NotFound"] * 2)


async def test_a_voucher_is_assigned_switched_prolonged_and_archived(
    client: httpx.AsyncClient, shelf: Shelf, superuser: psycopg.Connection
) -> None:
    url = shelf.url("GOOD")
    read = await client.get(f"{url}?reveal=true", headers=shelf.tenant.bearer)
    expected = {
        "id": shelf.ids["GOOD"],
        "code": "GOOD",
        "purchaseId": str(shelf.purchase_id),
        "purchaseCode": "VP-1",
        "partnerId": str(shelf.partner_id),
        "isActive": True,
        "isUsed": False,
        "isArchived": False,
        "expiresAt": "2027-06-15T12:00:00Z",
        "assignedAt": None,
        "recipientEmail": None,
        "reservationCode": None,
        "reservationStatus": None,
        "storeExamCode": None,
        "usedAt": None,
        "metadata": {},
        "version": 1,
    }
    assert (status_and_body(read), read.headers["ETag"]) == ((200, expected), '"1"')
    assigned = {"assignedAt": "2026-06-15T12:00:00Z"}
    steps: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("assign", ADA, assigned | ADA),
        ("assign", {"recipientEmail": "bob@example.com"}, {"recipientEmail": "bob@example.com"}),
        ("switch-off", {}, {"isActive": False}),
        ("switch-on", {}, {"isActive": True}),
        ("change-expiry", MOVES["change-expiry"], MOVES["change-expiry"]),
        ("unassign", {}, {"assignedAt": None, "recipientEmail": None}),
        ("archive", {}, {"isArchived": True}),
    ]
    for version, (move, body, change) in enumerate(steps, start=1):
        expected |= change | {"version": version + 1, "code": "****"}
        assert await change_resource(client, shelf.tenant, f"{url}/{move}", version, **body) == expected
    for move, body in MOVES.items():
        answer = await client.post(f"{url}/{move}", json=body, headers=if_match(8, shelf.tenant))
        assert status_and_body(answer) == wrong_state("Archived")
    log = audit_entries_of(superuser, shelf.tenant, "Voucher")
    assert [entry[2] for entry in log] == [
        "Assigned",
        "Assigned",
        "SwitchedOff",
        "SwitchedOn",
        "ExpiryChanged",
        "Unassigned",
        "Archived",
    ]
    assert (log[1][3]["recipient_email"], log[1][4]["recipient_email"]) == ("ada@example.com", "bob@example.com")


async def test_a_used_voucher_stays_its_recipients(client: httpx.AsyncClient, shelf: Shelf) -> None:
    for move in ("assign", "unassign"):
        assert (
            await client.post(f"{shelf.url('SPENT')}/{move}", json=ADA, headers=if_match(2, shelf.tenant))
        ).status_code == 412
        answer = await client.post(f"{shelf.url('SPENT')}/{move}", json=ADA, headers=if_match(1, shelf.tenant))
        assert status_and_body(answer) == wrong_state("Used")
    late = await client.post(f"{shelf.url('LATE')}/assign", json=ADA, headers=if_match(1, shelf.tenant))
    assert status_and_body(late) == wrong_state("Expired")


async def test_a_held_voucher_stays_its_recipients_until_the_hold_runs_out(
    client: httpx.AsyncClient, shelf: Shelf, clock: Clock
) -> None:
    await create_redemption(client, shelf.tenant, "GOOD", holdSeconds=60)
    for move in ("assign", "unassign"):
        answer = await client.post(f"{shelf.url('GOOD')}/{move}", json=ADA, headers=if_match("*", shelf.tenant))
        assert status_and_body(answer) == wrong_state("Held")
    clock.advance(seconds=60)
    assert (await change_resource(client, shelf.tenant, f"{shelf.url('GOOD')}/assign", 2, **ADA))["recipientEmail"] == (
        "ada@example.com"
    )


async def test_a_voucher_whose_reservation_moves_on_is_another_version(client: httpx.AsyncClient, shelf: Shelf) -> None:
    await create_redemption(client, shelf.tenant, "GOOD")
    read = (await client.get(shelf.url("GOOD"), headers=shelf.tenant.bearer)).headers["ETag"]
    assert (await update_reservation(client, shelf.tenant, "RSV-1", "Completed")).status_code == 200
    again = await client.get(shelf.url("GOOD"), headers=shelf.tenant.bearer)
    assert (again.json()["reservationStatus"], again.headers["ETag"] == read) == ("Completed", False)


async def test_a_hold_is_kept_though_its_voucher_is_switched_off_and_archived(
    client: httpx.AsyncClient, resources: Resources, shelf: Shelf
) -> None:
    held = await create_redemption(client, shelf.tenant, "GOOD", holdSeconds=60)
    for move in ("switch-off", "archive"):
        assert (
            await client.post(f"{shelf.url('GOOD')}/{move}", headers=if_match("*", shelf.tenant))
        ).status_code == 200
    assert (await act(client, shelf.tenant, held, "confirm")).json()["status"] == "Redeemed"
    async with resources.database.unit_of_work(shelf.tenant.id) as work:
        result = (await ledger.verify(work)).discrepancies
    assert [each.name for each in result] == ["SPENT"]  # inserted as used, without a redemption


async def test_a_change_needs_the_version_that_was_read(client: httpx.AsyncClient, shelf: Shelf) -> None:
    url = f"{shelf.url('GOOD')}/switch-off"
    assert (await client.post(url, headers=shelf.tenant.bearer)).status_code == 428
    assert (await client.post(url, headers=if_match(2, shelf.tenant))).status_code == 412
    assert (await client.post(url, headers=if_match(1, shelf.tenant))).status_code == 200


async def test_what_cannot_be_read_is_named(client: httpx.AsyncClient, shelf: Shelf) -> None:
    async def refusal(move: str, body: dict[str, Any]) -> tuple[int, Any]:
        return status_and_body(
            await client.post(f"{shelf.url('GOOD')}/{move}", json=body, headers=if_match(1, shelf.tenant))
        )

    not_email = ("/recipientEmail", "NotEmail", "recipientEmail must be a valid e-mail address.")
    in_past = ("/expiresAt", "ExpiryInPast", "expiresAt must not be in the past.")
    assert await refusal("assign", {"recipientEmail": "x"}) == invalid(not_email)
    assert await refusal("assign", {}) == invalid(("/recipientEmail", "Required", "recipientEmail is required."))
    assert await refusal("change-expiry", {"expiresAt": "2026-06-15T12:00:00Z"}) == invalid(in_past)
    missing = ("/expiresAt", "Required", "expiresAt is required.")
    assert await refusal("change-expiry", {}) == invalid(missing)


async def test_an_archived_voucher_is_not_valid_and_keeps_its_switch(client: httpx.AsyncClient, shelf: Shelf) -> None:
    body = {"codes": ["AWAY"], "storeExamCode": "NCA-GENL"}
    answer = await client.post("/storefront/v1/validations", json=body, headers=shelf.tenant.api_key)
    (result,) = answer.json()["results"]
    assert (result["isValid"], [reason["code"] for reason in result["reasons"]]) == (False, ["Archived"])
    documented = await client.get("/api/vouchers?voucherCode=AWAY", headers=shelf.tenant.bearer)
    assert documented.json()["data"][0]["isActive"] is True


async def test_of_many_vouchers_each_has_its_own_result(
    client: httpx.AsyncClient, shelf: Shelf, superuser: psycopg.Connection
) -> None:
    named = [{"code": "good"}, {"id": shelf.ids["OTHER"], "recipientEmail": "bob@example.com"}, {"code": "SPENT"}]
    named += [{"id": shelf.ids["AWAY"]}, {"code": "LATE"}, {"code": "NONE"}, {"id": shelf.ids["GOOD"]}]
    answer = await client.post(BULK, json={"action": "assign", "vouchers": named, **ADA}, headers=shelf.tenant.bearer)

    def result(code: str | None, reason: str | None = None, message: str = "", version: int | None = 1) -> Any:
        told_reason = {"code": reason, "message": f"The voucher {message}."} if reason else None
        voucher_id = shelf.ids[code] if code else None
        return {
            "id": voucher_id,
            "code": code and "****",
            "isDone": reason is None,
            "reason": told_reason,
            "version": version,
        }

    assert status_and_body(answer) == (
        200,
        {
            "done": 2,
            "refused": 5,
            "results": [
                result("GOOD", version=2),
                result("OTHER", version=2),
                result("SPENT", "Used", "has been used"),
                result("AWAY", "Archived", "is archived"),
                result("LATE", "Expired", "has expired"),
                result(None, "NotFound", "does not exist", version=None),
                result("GOOD", "Repeated", "appears earlier in the same request", version=2),
            ],
        },
    )
    stored = superuser.execute(
        "select code, recipient_email, assigned_at from vouchers where organization_id = %s and version = 2 order by 1",
        [shelf.tenant.id],
    )
    assert stored.fetchall() == [("GOOD", "ada@example.com", NOW), ("OTHER", "bob@example.com", NOW)]
    assert [entry[2] for entry in audit_entries_of(superuser, shelf.tenant, "Voucher")] == ["Assigned"] * 2


@pytest.mark.parametrize(
    ("action", "column", "value"),
    [
        ("Unassign", "recipient_email", None),
        ("SwitchOn", "is_active", True),
        ("SwitchOff", "is_active", False),
        ("ChangeExpiry", "expires_at", NOW + timedelta(days=1)),
        ("Archive", "is_archived", True),
    ],
)
async def test_every_action_can_be_done_to_many(
    client: httpx.AsyncClient, shelf: Shelf, superuser: psycopg.Connection, action: str, column: str, value: Any
) -> None:
    body = {"action": action, "expiresAt": "2026-06-16T12:00:00Z", "vouchers": [{"code": "GOOD"}, {"code": "OFF"}]}
    answer = await client.post(BULK, json=body, headers=shelf.tenant.bearer)
    assert (answer.status_code, answer.json()["done"]) == (200, 2)
    result = superuser.execute(
        f"select {column} from vouchers where organization_id = %s and version = 2", [shelf.tenant.id]
    )
    assert result.fetchall() == [(value,)] * 2


async def test_everything_that_is_wrong_with_a_bulk_request_is_named_at_once(
    client: httpx.AsyncClient, shelf: Shelf
) -> None:
    async def refusal(body: dict[str, Any]) -> tuple[int, Any]:
        return status_and_body(await client.post(BULK, json=body, headers=shelf.tenant.bearer))

    one_name = "must have either an id or a code."
    named: list[Any] = [{}, {"id": str(NOBODY), "code": "X", **ADA}, {"code": "GOOD"}]
    assert await refusal({"action": "Assign", "vouchers": named}) == invalid(
        ("/vouchers/0", "OneName", f"vouchers/0 {one_name}"),
        ("/vouchers/0/recipientEmail", "Required", "vouchers/0/recipientEmail is required to assign it."),
        ("/vouchers/1", "OneName", f"vouchers/1 {one_name}"),
        ("/vouchers/2/recipientEmail", "Required", "vouchers/2/recipientEmail is required to assign it."),
    )
    bad = [{"id": 1}, 7, {"code": "X", "recipientEmail": "x"}]
    assert (await refusal({"action": 0, "vouchers": bad}))[1]["errors"][0]["code"] == "NotAmongValues"
    assert await refusal({"action": "Burn", "expiresAt": 1, "vouchers": bad}) == invalid(
        (
            "/action",
            "NotAmongValues",
            "action must be one of Assign, Unassign, SwitchOn, SwitchOff, ChangeExpiry, Archive.",
        ),
        (
            "/expiresAt",
            "NotDateTime",
            "expiresAt must be an ISO 8601 date and time, such as 2026-01-01T00:00:00.",
        ),
        ("/vouchers/0/id", "NotUuid", "vouchers/0/id must be a UUID."),
        ("/vouchers/1", "NotObject", "vouchers/1 must be an object."),
        ("/vouchers/2/recipientEmail", "NotEmail", "vouchers/2/recipientEmail must be a valid e-mail address."),
    )
    count = "vouchers must be a list of 1 to 1,000 vouchers."
    required = ("/expiresAt", "Required", "expiresAt is required to change the expiry.")
    for amount in (0, 1001):
        body = {"action": "ChangeExpiry", "vouchers": [{"code": "X"}] * amount}
        assert await refusal(body) == invalid(required, ("/vouchers", "NumberOfVouchers", count))
    wrong = {"recipientEmail": "x", "expiresAt": "2020-01-01T00:00:00", "vouchers": [{"code": "GOOD"}]}
    assert await refusal({"action": "ChangeExpiry"} | wrong) == invalid(
        ("/recipientEmail", "NotEmail", "recipientEmail must be a valid e-mail address."),
        ("/expiresAt", "ExpiryInPast", "expiresAt must not be in the past."),
    )


async def test_a_thousand_vouchers_are_changed_in_few_statements(
    client: httpx.AsyncClient, resources: Resources, shelf: Shelf, superuser: psycopg.Connection
) -> None:
    fill_vouchers(superuser, shelf.tenant, 1000, partner_id=shelf.partner_id, purchase_id=shelf.purchase_id)
    body = {"action": "Assign", **ADA, "vouchers": [{"code": f"V{n}"} for n in range(1, 1001)]}
    with record_statements(resources.database) as sent:
        answer = await client.post(BULK, json=body, headers=shelf.tenant.bearer)
    assert (answer.status_code, answer.json()["done"]) == (200, 1000)
    assert len(sent) <= 7
    assert len(audit_entries_of(superuser, shelf.tenant, "Voucher")) == 1000


async def test_vouchers_are_found_by_each_filter_and_followed_to_the_end(
    client: httpx.AsyncClient, shelf: Shelf
) -> None:
    await change_resource(client, shelf.tenant, f"{shelf.url('GOOD')}/assign", 1, **ADA)
    every = {"GOOD", "OTHER", "SPENT", "AWAY", "LATE", "OFF"}
    expected = {
        "": every,
        f"partnerId={shelf.partner_id}": every,
        f"purchaseId={shelf.purchase_id}": every,
        "purchaseCode=vp-1": every,
        f"partnerId={shelf.partner_id}&isUsed=false": every - {"SPENT"},
        "isActive=true": every - {"OFF"},
        "isActive=false": {"OFF"},
        "isUsed=true": {"SPENT"},
        "isUsed=false": every - {"SPENT"},
        "isActive=true&isUsed=false": every - {"OFF", "SPENT"},
        "isArchived=true": {"AWAY"},
        "isArchived=false": every - {"AWAY"},
        "recipientEmail=ADA@example.com": {"GOOD"},
        "reservationCode=RSV-1": {"SPENT"},
        "storeExamCode=nca-genl": {"SPENT"},
        "voucherCode=good": {"GOOD"},
        f"purchaseId={NOBODY}": set(),
    }
    for query, codes in expected.items():
        result = await read_all_pages(client, shelf.tenant, f"{VOUCHERS}?limit=2&{query}")
        assert result == sorted(shelf.ids[code] for code in codes), query
    other_list = (await client.get(f"{VOUCHERS}?isUsed=false&limit=1", headers=shelf.tenant.bearer)).json()["nextLink"]
    cursor = other_list.partition("cursor=")[2].partition("&")[0]
    answer = await client.get(f"{VOUCHERS}?cursor={cursor}", headers=shelf.tenant.bearer)
    assert status_and_body(answer) == invalid(
        ("/cursor", "NotCursor", "cursor must be a cursor from a nextLink of this list.")
    )


async def test_vouchers_are_listed_newest_first_and_found_by_the_beginning_of_their_codes(
    client: httpx.AsyncClient, shelf: Shelf, resources: Resources
) -> None:
    globex = await add_partner(resources, shelf.tenant, "Globex")
    program = await add_program(resources, shelf.tenant, "Autumn")
    purchase = await add_purchase(resources, shelf.tenant, globex, program, "VP-2")
    usage_of_good = usage(shelf.tenant.exam_ids["NCA-GENL"], "RSV-2")
    await add_vouchers(
        resources, shelf.tenant, voucher(purchase, globex, "GONE", **usage_of_good), voucher(purchase, globex, "A-1")
    )
    newest = ["A-1", "GONE", "OFF", "LATE", "AWAY", "SPENT", "OTHER", "GOOD"]
    for query, expected in (
        ("order=newest", newest),
        (f"order=newest&partnerId={shelf.partner_id}", newest[2:]),
        (f"order=newest&partnerId={shelf.partner_id}&isUsed=false", ["OFF", "LATE", "AWAY", "OTHER", "GOOD"]),
        (f"order=newest&purchaseId={purchase}", newest[:2]),
        ("order=newest&isUsed=true", ["GONE", "SPENT"]),
        ("order=newest&isActive=true", [code for code in newest if code != "OFF"]),
        ("order=newest&isActive=false&isUsed=false", ["OFF"]),
        ("order=newest&storeExamCode=NCA-GENL", ["GONE", "SPENT"]),
        ("order=newest&storeExamCode=NCA-GENL&isActive=false", []),
        ("order=newest&isArchived=true", ["AWAY"]),
        ("order=newest&voucherCode=good", ["GOOD"]),
        ("search=o", ["OFF", "OTHER"]),
        ("search=go", ["GONE", "GOOD"]),
        ("search=a", ["A-1", "AWAY"]),
        ("search=a-", ["A-1"]),
        ("search=O&order=newest", ["OFF", "OTHER"]),
        ("search=go&isUsed=true", ["GONE"]),
        (f"search=g&partnerId={shelf.partner_id}", ["GOOD"]),
        ("search=g&storeExamCode=nca-genl&order=newest", ["GONE"]),
        ("search=%25", []),
    ):
        assert (query, await codes_of(client, shelf.tenant, query)) == (query, expected)


async def test_archived_vouchers_are_newest_first_with_every_other_filter(
    client: httpx.AsyncClient, shelf: Shelf, resources: Resources
) -> None:
    archived = {"is_archived": True, "is_active": False}
    purchase = await add_purchase(
        resources, shelf.tenant, shelf.partner_id, await add_program(resources, shelf.tenant, "Autumn"), "VP-2"
    )
    await add_vouchers(resources, shelf.tenant, voucher(purchase, shelf.partner_id, "LATEST", **archived))
    for query in ("", f"&partnerId={shelf.partner_id}", "&isUsed=false", f"&isUsed=false&partnerId={shelf.partner_id}"):
        found = await codes_of(client, shelf.tenant, f"order=newest&isArchived=true{query}")
        assert (query, found) == (query, ["LATEST", "AWAY"])


async def test_the_same_key_changes_vouchers_once(client: httpx.AsyncClient, shelf: Shelf) -> None:
    headers = shelf.tenant.bearer | {"Idempotency-Key": "bulk-1"}
    body = {"action": "SwitchOff", "vouchers": [{"code": "GOOD"}]}
    answers = [await client.post(BULK, json=body, headers=headers) for _ in range(2)]
    assert status_and_body(answers[0]) == status_and_body(answers[1])
    assert (await client.get(shelf.url("GOOD"), headers=shelf.tenant.bearer)).json()["version"] == 2
