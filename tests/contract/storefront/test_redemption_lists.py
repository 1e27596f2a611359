"""GET /storefront/v1/redemptions: every filter, and all pages by cursor."""

from base64 import urlsafe_b64encode
from typing import Any

import httpx
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.redemption_requests import URL, act, candidate, create_redemption, reasons, update_reservation
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_user, add_vouchers, voucher

from tessera.api.serving.resources import Resources
from tessera.identity.rules import FunctionPoint


@pytest.fixture
async def shop(client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock) -> Tenant:
    """A tenant with a redemption in each status, one per second, of two candidates and two codes.

    By reservation: 0 held, 1 redeemed, 2 released, 3 expired but not recorded, 4 expired and replaced (3 and 4 use the
    voucher), 5 the replacement, 6 cancelled.
    """
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=NOW)
    partner = await add_partner(resources, tenant, "Acme Corp")
    purchase = await add_purchase(resources, tenant, partner, await add_program(resources, tenant, "Open"), "VP-1")
    await add_vouchers(resources, tenant, voucher(purchase, partner, "PAID"))
    redemptions = []
    for number, (code, seconds) in enumerate(
        [
            ("SPRING", 600),
            ("SPRING", None),
            ("SPRING", 600),
            ("SPRING", 1),
            ("PAID", 1),
            ("PAID", None),
            ("SPRING", None),
        ]
    ):
        who = candidate(f"P-{number % 2}")
        redemptions.append(
            await create_redemption(client, tenant, code, f"RSV-{number}", candidate=who, holdSeconds=seconds)
        )
        clock.advance(seconds=1)
        if number == 2:
            await act(client, tenant, redemptions[2], "release")
    await act(client, tenant, redemptions[6], "cancel")
    return tenant


async def list_reservations(client: httpx.AsyncClient, tenant: Tenant, query: str = "") -> list[str]:
    """The last characters of the reservation codes in the list."""
    answer = await client.get(f"{URL}?{query}", headers=tenant.api_key)
    assert answer.status_code == 200, answer.text
    return [each["reservationCode"].removeprefix("RSV-") for each in answer.json()["data"]]


async def test_a_list_shows_the_same_as_each_look_up(client: httpx.AsyncClient, shop: Tenant) -> None:
    body = (await client.get(URL, headers=shop.api_key)).json()
    single = [(await client.get(f"{URL}/{each['id']}", headers=shop.api_key)).json() for each in body["data"]]
    assert body == {"data": single, "nextLink": None, "nextCursor": None}
    statuses = ["Held", "Redeemed", "Released", "Expired", "Expired", "Redeemed", "Cancelled"]
    assert [each["status"] for each in body["data"]] == statuses


# The reservations that each filter shows.
FILTERS = {
    "": "0123456",
    "code=&status=&limit=": "0123456",
    "code=spring": "01236",
    "code=PAID": "45",
    "code=SPRIN": "",
    "reservationCode=RSV-5": "5",
    "reservationCode=rsv-5": "",
    "personId=P-1": "135",
    "personId=P-9": "",
    "status=held": "0",
    "status=Redeemed": "15",
    "status=Released": "2",
    "status=EXPIRED": "34",
    "status=Cancelled": "6",
    "createdFrom=2026-06-15T12:00:04Z": "456",
    "createdBefore=2026-06-15T12:00:04Z": "0123",
    "createdFrom=2026-06-15T14:00:02%2B02:00&createdBefore=2026-06-15T12:00:03": "2",
    "createdFrom=2026-06-15T12:00:03Z&createdBefore=2026-06-15T12:00:03Z": "",
    "status=Expired&code=paid": "4",
    "status=Expired&personId=P-1": "3",
    "status=Expired&reservationCode=RSV-3": "3",
    "status=Expired&createdFrom=2026-06-15T12:00:04Z": "4",
    "status=Redeemed&code=SPRING&personId=P-1&reservationCode=RSV-1": "1",
    "status=Redeemed&code=SPRING&personId=P-0": "",
    "code=SPRING&personId=P-0&createdFrom=2026-06-15T12:00:01Z": "26",
}


async def test_filters_work_separately_and_combined(client: httpx.AsyncClient, shop: Tenant) -> None:
    assert {query: "".join(await list_reservations(client, shop, query)) for query in FILTERS} == FILTERS


async def test_a_hold_is_held_until_its_deadline_and_expired_from_then_on(
    client: httpx.AsyncClient, shop: Tenant, clock: Clock
) -> None:
    clock.now = NOW
    clock.advance(seconds=599)
    assert (
        await list_reservations(client, shop, "status=Held"),
        await list_reservations(client, shop, "status=Expired"),
    ) == (
        ["0"],
        ["3", "4"],
    )
    clock.advance(seconds=1)
    assert (
        await list_reservations(client, shop, "status=Held"),
        await list_reservations(client, shop, "status=Expired"),
    ) == (
        [],
        ["0", "3", "4"],
    )


async def test_a_reservation_is_found_under_the_code_that_it_has_now(client: httpx.AsyncClient, shop: Tenant) -> None:
    await update_reservation(client, shop, "RSV-1", "Rescheduled", reservationCode="RSV-9")
    assert await list_reservations(client, shop, "reservationCode=RSV-1") == []
    assert await list_reservations(client, shop, "reservationCode=RSV-9") == ["9"]


async def walk(client: httpx.AsyncClient, tenant: Tenant, query: str, adding: Any = None) -> list[list[str]]:
    """All pages of a list, by their links; something may be added after each."""
    parts, link = [], f"http://testserver{URL}?{query}"
    while link:
        answer = await client.get(link, headers=tenant.api_key)
        assert answer.status_code == 200, answer.text
        link = answer.json()["nextLink"]
        assert answer.headers.get("Link") == (f'<{link}>; rel="next"' if link else None)
        parts.append([each["reservationCode"].removeprefix("RSV-") for each in answer.json()["data"]])
        if adding is not None and len(parts) < 4:
            await adding(len(parts))
    return parts


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("limit=3", ["012", "345", "6"]),
        ("limit=7", ["0123456"]),
        ("limit=6", ["012345", "6"]),
        ("limit=1000", ["0123456"]),
        ("status=Expired&limit=1", ["3", "4"]),
        ("status=Expired&limit=2", ["34"]),
        ("limit=2&code=SPRING&createdFrom=2026-06-15T12:00:00Z", ["01", "23", "6"]),
    ],
)
async def test_links_lead_through_all_parts_with_the_same_filters(
    client: httpx.AsyncClient, shop: Tenant, query: str, parts: list[str]
) -> None:
    assert ["".join(part) for part in await walk(client, shop, query)] == parts


async def test_what_is_added_meanwhile_comes_last_and_moves_nothing(
    client: httpx.AsyncClient, shop: Tenant, clock: Clock
) -> None:
    async def add(number: int) -> None:
        clock.advance(seconds=1)
        await create_redemption(client, shop, "SPRING", f"RSV-{'abc'[number - 1]}")

    assert ["".join(part) for part in await walk(client, shop, "limit=2", add)] == ["01", "23", "45", "6a", "bc"]


async def test_those_of_one_moment_are_each_shown_once(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=NOW)
    for number in range(7):
        await create_redemption(client, tenant, "SPRING", f"RSV-{number}")
    assert ["".join(part) for part in await walk(client, tenant, "limit=3")] == ["012", "345", "6"]


def cursor(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("limit=0", [("/limit", "LimitRange")]),
        ("limit=1001", [("/limit", "LimitRange")]),
        ("limit=-1", [("/limit", "LimitRange")]),
        ("limit=1.5", [("/limit", "LimitRange")]),
        ("cursor=x", [("/cursor", "NotCursor")]),
        ("cursor=%F0%9F%98%80", [("/cursor", "NotCursor")]),
        (f"cursor={cursor('[]')}", [("/cursor", "NotCursor")]),
        (f"cursor={cursor('1')}", [("/cursor", "NotCursor")]),
        (f"cursor={cursor('[1, 2]')}", [("/cursor", "NotCursor")]),
        ("cursor=" + cursor('["2026-06-15T12:00:00Z", "x"]'), [("/cursor", "NotCursor")]),
        (
            "cursor=" + cursor('["2026-06-15T12:00:00", "019ab0c4-7b7e-7c3a-9d0e-2f6f3a1b5c7d"]'),
            [("/cursor", "NotCursor")],
        ),
        ("status=Open", [("/status", "NotAmongValues")]),
        ("status=Held&status=Expired", [("/status", "Repeated")]),
        ("code=%00", [("/code", "NulCharacter")]),
        ("createdFrom=yesterday", [("/createdFrom", "NotDateTime")]),
        (
            "limit=x&createdBefore=2026&personId=%00&createdFrom=&status=None",
            [
                ("/limit", "LimitRange"),
                ("/personId", "NulCharacter"),
                ("/status", "NotAmongValues"),
                ("/createdBefore", "NotDateTime"),
            ],
        ),
    ],
)
async def test_every_violation_of_a_query_is_reported_at_once(
    client: httpx.AsyncClient, tenant: Tenant, query: str, errors: list[tuple[str, str]]
) -> None:
    answer = await client.get(f"{URL}?{query}", headers=tenant.api_key)
    assert (answer.status_code, reasons(answer)) == (400, errors)


@pytest.mark.parametrize("query", ["code=%FF", "x=%FF"])
async def test_a_query_that_is_no_text_is_refused(client: httpx.AsyncClient, tenant: Tenant, query: str) -> None:
    answer = await client.get(f"{URL}?{query}", headers=tenant.api_key)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:tessera:problem:malformed-request")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
async def test_the_ends_of_time_are_times(client: httpx.AsyncClient, shop: Tenant, moment: str) -> None:
    is_early = moment < "2026"
    assert len(await list_reservations(client, shop, f"createdFrom={moment}")) == (7 if is_early else 0)
    place = cursor(f'["{moment.replace("Z", "+00:00")}", "019ab0c4-7b7e-7c3a-9d0e-2f6f3a1b5c7d"]')
    assert len(await list_reservations(client, shop, f"cursor={place}")) == (7 if is_early else 0)


async def test_a_caller_without_the_right_or_a_credential_learns_nothing(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant, other_tenant: Tenant
) -> None:
    points = tuple(point for point in FunctionPoint if not point.startswith("Storefront"))
    powerless = await add_user(resources, shop, "bob@example.com", function_points=points)
    for headers, status in ((None, 401), ({"cv-api-key": "x"}, 401), (powerless, 403)):
        assert (await client.get(f"{URL}?limit=0", headers=headers)).status_code == status
    assert (await client.get(URL, headers=other_tenant.api_key)).json() == {
        "data": [],
        "nextLink": None,
        "nextCursor": None,
    }
    assert len((await client.get(URL, headers=shop.bearer)).json()["data"]) == 7
