"""GET /api/vouchers/programs, by its document."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.support.factories import Tenant
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_partner, add_program, add_user, fill_programs
from tests.support.voucher_requests import EMPTY, NO_FUNCTION_POINT, NO_TOKEN, TOO_MANY, UUID7, read_page

from tessera.api.serving.resources import Resources
from tessera.identity.rules import FunctionPoint
from tessera.vouchers.rules import Status

PATH = "/api/vouchers/programs"


@dataclass(frozen=True)
class Offer:
    """Two partners and the programs of this module's tests."""

    partner_ids: dict[str, UUID]
    program_ids: dict[str, UUID]


@pytest.fixture
async def offer(resources: Resources, tenant: Tenant) -> Offer:
    """A program with everything, one with nothing, and names that are hard to find."""
    partner_ids = {name: await add_partner(resources, tenant, name) for name in ("Zeta Corp", "Acme Corp")}
    exams = tenant.exam_ids
    everything: dict[str, Any] = {
        "allow_ach_payments": True,
        "expiration_period_in_days": 90,
        "can_assigned_partners_purchase_zero_price": True,
        "is_available_to_all_partners": False,
        "partner_cost_per_voucher": Decimal("49.50"),
        "enforce_assigned_email": True,
        "voucher_code_prefix": "SPRING-",
        "store_exam_ids": (exams["NCP-ADS"], exams["NCA-GENL"]),
        "partner_ids": tuple(reversed(partner_ids.values())),
        "discounts": ((1000, Decimal(20)), (10, Decimal("0.07")), (100, Decimal("12.5"))),
        "email_domains": ("zeta.example.com", "acme.example.com"),
    }
    return Offer(
        partner_ids,
        {
            "Spring Certification Drive": await add_program(
                resources, tenant, "Spring Certification Drive", **everything
            ),
            "École d'été": await add_program(resources, tenant, "École d'été", store_exam_ids=()),
            "100% Sure_Thing": await add_program(resources, tenant, "100% Sure_Thing", status=Status.INACTIVE),
            "Back\\slash Drive": await add_program(resources, tenant, "Back\\slash Drive", status=Status.ARCHIVED),
        },
    )


ALL = ["Spring Certification Drive", "École d'été", "100% Sure_Thing", "Back\\slash Drive"]


async def test_without_a_credential_it_is_401(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH)
    assert status_and_body(answer) == NO_TOKEN
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_another_organizations_programs_are_not_listed(
    client: httpx.AsyncClient, other_tenant: Tenant, offer: Offer
) -> None:
    assert status_and_body(await client.get(PATH, headers=other_tenant.bearer)) == EMPTY
    assert status_and_body(await client.get(f"{PATH}?programName=Spring", headers=other_tenant.bearer)) == EMPTY


async def test_without_the_function_point_it_is_401(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    others = (FunctionPoint.PARTNER_MANAGE_PROMO_CODES,)
    headers = await add_user(resources, tenant, "nobody@example.com", function_points=others)
    assert status_and_body(await client.get(PATH, headers=headers)) == NO_FUNCTION_POINT


def plain(name: str, program_id: UUID, exams: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return {
        "allowAchPayments": False,
        "discounts": [],
        "expirationPeriodInDays": 365,
        "id": str(program_id),
        "isActive": True,
        "isArchived": False,
        "isInactive": False,
        "name": name,
        "partners": {
            "assignedPartners": [],
            "canAssignedPartnersPurchaseZeroPrice": False,
            "isAvailableToAllVoucherPartners": True,
            "partnerCostPerVoucher": 0,
        },
        "restrictions": {"emailDomainRestrictions": [], "enforceAssignedEmailToBookExam": False},
        "storeExams": exams,
        "voucherCodePrefix": "",
    } | changes


def exam(tenant: Tenant, code: str) -> dict[str, Any]:
    return {"code": code, "id": str(tenant.exam_ids[code]), "name": f"Exam {code}", "price": 100}


async def test_programs_come_whole_with_all_that_belongs_to_them_oldest_first(
    client: httpx.AsyncClient, tenant: Tenant, offer: Offer
) -> None:
    answer = await client.get(PATH, headers=tenant.bearer)
    spring, ecole, sure, back = ALL
    expected = [
        plain(
            spring,
            offer.program_ids[spring],
            [exam(tenant, "NCP-ADS"), exam(tenant, "NCA-GENL")],
            allowAchPayments=True,
            discounts=[
                {"id": UUID7, "percent": 0.07, "quantity": 10},
                {"id": UUID7, "percent": 12.5, "quantity": 100},
                {"id": UUID7, "percent": 20, "quantity": 1000},
            ],
            expirationPeriodInDays=90,
            partners={
                "assignedPartners": [
                    {"id": str(offer.partner_ids[name]), "name": name} for name in ("Zeta Corp", "Acme Corp")
                ],
                "canAssignedPartnersPurchaseZeroPrice": True,
                "isAvailableToAllVoucherPartners": False,
                "partnerCostPerVoucher": 49.5,
            },
            restrictions={
                "emailDomainRestrictions": [
                    {"id": UUID7, "domain": "acme.example.com"},
                    {"id": UUID7, "domain": "zeta.example.com"},
                ],
                "enforceAssignedEmailToBookExam": True,
            },
            voucherCodePrefix="SPRING-",
        ),
        plain(ecole, offer.program_ids[ecole], []),
        plain(sure, offer.program_ids[sure], [exam(tenant, "NCA-GENL")], isActive=False, isInactive=True),
        plain(back, offer.program_ids[back], [exam(tenant, "NCA-GENL")], isActive=False, isArchived=True),
    ]
    assert status_and_body(answer) == (200, {"data": expected})
    assert [list(program) for program in answer.json()["data"]] == [list(program) for program in expected]
    assert "Link" not in answer.headers


@pytest.mark.parametrize(
    ("value", "literal"),
    [("49.50", "49.5"), ("0.07", "0.07"), ("99999999.99", "99999999.99"), ("0.10", "0.1"), ("0.29", "0.29")],
)
async def test_decimals_are_exact(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, value: str, literal: str
) -> None:
    percent = Decimal(value) if Decimal(value) <= 100 else Decimal("99.99")
    await add_program(resources, tenant, "Exact", partner_cost_per_voucher=Decimal(value), discounts=((5, percent),))
    text = (await client.get(PATH, headers=tenant.bearer)).text
    assert f'"partnerCostPerVoucher":{literal}}}' in text
    assert f'"percent":{literal if percent == Decimal(value) else "99.99"},' in text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ALL),
        ({"programName": "DRIVE"}, ["Spring Certification Drive", "Back\\slash Drive"]),
        ({"programName": "spring certification drive"}, ["Spring Certification Drive"]),
        ({"programName": "ÉCOLE D'ÉTÉ"}, ["École d'été"]),
        ({"programName": "ete"}, []),
        ({"programName": "%"}, ["100% Sure_Thing"]),
        ({"programName": "_"}, ["100% Sure_Thing"]),
        ({"programName": "S%e"}, []),
        ({"programName": "\\"}, ["Back\\slash Drive"]),
        ({"programName": "Drive Spring"}, []),
        ({"programName": ""}, ALL),
        ({"partnerName": "nobody", "status": "nonsense", "ProgramName": "x"}, ALL),
        ({"page": "2"}, []),
        ({"page": "", "programName": "100"}, ["100% Sure_Thing"]),
    ],
    ids=str,
)
async def test_the_name_narrows_the_list(
    client: httpx.AsyncClient, tenant: Tenant, offer: Offer, query: dict[str, str], expected: list[str]
) -> None:
    answer = await client.get(PATH, headers=tenant.bearer, params=query)
    assert [program["name"] for program in answer.json()["data"]] == expected
    assert set(answer.json()) == {"data"}


def names_between(first: int, last: int) -> list[str]:
    return [f"Program {number}" for number in range(first, last + 1)]


async def test_links_lead_through_all_pages_in_order_with_the_same_filter(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    fill_programs(superuser, tenant, 201)
    first, second_link = await read_page(client, tenant.bearer, f"{PATH}?page=1&programName=PROGRAM", "name")
    assert second_link == f"http://testserver{PATH}?programName=PROGRAM&page=2"
    second, third_link = await read_page(client, tenant.bearer, second_link, "name")
    assert third_link == f"http://testserver{PATH}?programName=PROGRAM&page=3"
    third, end = await read_page(client, tenant.bearer, third_link, "name")
    assert (first, second, third, end) == (
        names_between(1, 100),
        names_between(101, 200),
        names_between(201, 201),
        None,
    )


async def test_exactly_ten_thousand_are_listed_and_one_more_is_422(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    fill_programs(superuser, tenant, 10_000)
    assert await read_page(client, tenant.bearer, f"{PATH}?page=100", "name") == (names_between(9_901, 10_000), None)
    assert await read_page(client, tenant.bearer, f"{PATH}?page=101", "name") == ([], None)
    await add_program(resources, tenant, "One more")
    for query in ("", "?page=101", f"?page={10**30}", "?programName=o"):
        assert status_and_body(await client.get(f"{PATH}{query}", headers=tenant.bearer)) == TOO_MANY
    assert await read_page(client, tenant.bearer, f"{PATH}?programName=one+m", "name") == (["One more"], None)
