"""The number of statements of redemptions: the same for one and for fifty concurrent ones."""

import asyncio
from typing import Any

import httpx
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.recording import Statement, record_pipelines, record_statements
from tests.support.redemption_requests import URL, act, body, candidate, create_redemption, update_reservation
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher

from tessera.api.serving.coalescing import HotRequest
from tessera.api.serving.resources import Resources
from tessera.api.storefront.operations import REDEEM


@pytest.fixture
async def shop(resources: Resources, tenant: Tenant) -> Tenant:
    """A tenant with a limited code, an unlimited one, and sixty vouchers."""
    free = percent_code(tenant, "FREE", max_redemptions=None)
    combinable = [percent_code(tenant, f"COMBINABLE{number}", is_combinable=True) for number in range(20)]
    await add_promo_codes(
        resources, tenant, percent_code(tenant, "SPRING", max_redemptions=90), free, *combinable, now=NOW
    )
    partner = await add_partner(resources, tenant, "Acme Corp")
    program = await add_program(resources, tenant, "Open")
    purchase = await add_purchase(resources, tenant, partner, program, "VP-1", quantity=60)
    await add_vouchers(resources, tenant, *(voucher(purchase, partner, f"V{number}") for number in range(60)))
    return tenant


def kinds(sent: list[Statement]) -> list[str]:
    """The first word of each statement, and of an INSERT its table."""
    words = [each.text.lower().split() for each in sent]
    return [" ".join(each[:3] if each[0] == "insert" else each[:1]) for each in words]


def redeem_body(kind: str, number: int, **more: Any) -> dict[str, Any]:
    code = f"V{number}" if kind == "voucher" else kind
    return body(code, f"RSV-{number}", candidate=candidate(f"P-{number}"), **more)


async def sent_for(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, bodies: list[dict[str, Any]]
) -> list[str]:
    """The statements for concurrent requests, all of which must succeed."""
    with record_statements(resources.database) as sent:
        answers = await asyncio.gather(*(client.post(URL, json=each, headers=tenant.api_key) for each in bodies))
    assert {answer.status_code for answer in answers} == {201}
    return kinds(sent)


COMMON = [
    "select",  # the caller
    "begin;",
    "select",  # the reservation's lock
    "select",  # the reservation
    "select",  # its redemptions
    "select",  # the product
    "select",  # the code's lock
    "select",  # the code
]
WRITTEN = ["insert into reservations", "insert into redemptions", "insert into redemption_ledger"]
COSTS = {
    "SPRING": [*COMMON, *WRITTEN, "select"],  # and its count
    "FREE": [*COMMON, *WRITTEN, "select"],
    # The lock, the voucher; its use, the count of its purchase, and the totals of its partner.
    "voucher": [*COMMON, "select", "select", *WRITTEN, "update", "update", "select", "update"],
}


@pytest.mark.parametrize(
    ("codes", "look_ups"),
    [
        (["SPRING", "FREE"], ["select"]),  # this statement knows whether a voucher has the text of a promo code
        *(([code], ["select"] * 2) for code in ("V1", "nothing", "oil")),
        (["V1", "SPRING", "nothing", *(f"COMBINABLE{number}" for number in range(12)), "V2"], ["select"] * 2),
    ],
)
async def test_a_validation_looks_for_promo_codes_once_and_for_vouchers_once_if_at_all(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant, codes: list[str], look_ups: list[str]
) -> None:
    question = {"codes": codes, "storeExamCode": "NCA-GENL"}
    with record_statements(resources.database) as sent:
        answer = await client.post("/storefront/v1/validations", json=question, headers=shop.api_key)
    assert len(answer.json()["results"]) == len(codes)
    assert kinds(sent) == ["select", "begin;", "select", *look_ups]  # the caller and the product


@pytest.mark.parametrize("seconds", [None, 60])
@pytest.mark.parametrize("kind", list(COSTS))
async def test_a_redemption_costs_a_fixed_number_of_statements(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant, kind: str, seconds: int | None
) -> None:
    expected = COSTS[kind][:-3] if kind == "voucher" and seconds else COSTS[kind]
    if seconds:
        expected = [*expected[:2], "select", *expected[2:]]  # the number of holds
    for number in range(2):
        assert await sent_for(client, resources, shop, [redeem_body(kind, number, holdSeconds=seconds)]) == expected


async def test_a_redemption_of_a_promo_code_takes_six_round_trips(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant
) -> None:
    with record_pipelines() as pipelines:
        sent = await sent_for(client, resources, shop, [redeem_body("SPRING", 1)])
    assert pipelines == [4, 2, 4]  # the locks and reads, the code, the writes
    assert len(sent) - sum(pipelines) == 2  # the caller and BEGIN; the commit is the sixth


@pytest.mark.parametrize("kind", list(COSTS))
async def test_fifty_concurrent_redemptions_take_as_many_statements_as_one(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant, kind: str
) -> None:
    result = await sent_for(client, resources, shop, [redeem_body(kind, number) for number in range(52)])
    # The first two go in a batch of their own each; the fifty that arrive meanwhile go in one.
    assert len(result) <= 3 * (len(COSTS[kind]) + 1)
    assert result.count("begin;") <= 3


async def test_a_batch_costs_the_same_whatever_its_size(
    resources: Resources, shop: Tenant, monkeypatch: pytest.MonkeyPatch, client: httpx.AsyncClient
) -> None:
    requests: list[HotRequest] = []
    coalescer = resources.pipeline._coalescer
    write = coalescer.write

    async def note(operation: Any, request: HotRequest, **options: Any) -> Any:
        requests.append(request)
        return await write(operation, request, **options)

    monkeypatch.setattr(coalescer, "write", note)
    for number in range(51):
        await create_redemption(client, shop, "FREE", f"RSV-{number}")
    costs = []
    for count in (1, 50):
        with record_statements(resources.database) as sent:
            answers = await coalescer._write_all(REDEEM, shop.id, requests[:count])
        assert len(answers) == count
        costs.append(kinds(sent))
    assert costs[0] == costs[1]


@pytest.mark.parametrize(
    ("action", "seconds", "count"), [("confirm", 60, 12), ("release", 60, 12), ("cancel", None, 12)]
)
async def test_a_change_costs_a_fixed_number_of_statements(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant, action: str, seconds: int | None, count: int
) -> None:
    for _ in range(2):
        redemption = await create_redemption(client, shop, "SPRING", holdSeconds=seconds)
        with record_statements(resources.database) as sent:
            assert (await act(client, shop, redemption, action)).status_code == 200
        assert len(sent) <= count
        await act(client, shop, redemption, "cancel")


async def test_cancelling_a_reservation_costs_the_same_for_one_redemption_and_for_many(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant
) -> None:
    costs = []
    for number, count in enumerate((2, 20)):
        for each in range(count):
            await create_redemption(client, shop, f"COMBINABLE{each}", f"RSV-{number}")
        with record_statements(resources.database) as sent:
            assert (await update_reservation(client, shop, f"RSV-{number}", "Cancelled")).status_code == 200
        costs.append(kinds(sent))
    assert costs[0] == costs[1]


@pytest.mark.parametrize("query", ["", "status=Held", "status=Expired"])
async def test_a_list_costs_the_same_for_one_redemption_and_for_many(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant, query: str
) -> None:
    costs = []
    for count in (1, 20):
        for number in range(count):
            await create_redemption(client, shop, "FREE", f"RSV-{number}", holdSeconds=60)
        with record_statements(resources.database) as sent:
            assert (await client.get(f"{URL}?{query}", headers=shop.api_key)).status_code == 200
        costs.append(kinds(sent))
    expected = ["select", "begin;", "select"]
    assert costs == [expected + (["select"] if query == "status=Expired" else [])] * 2
