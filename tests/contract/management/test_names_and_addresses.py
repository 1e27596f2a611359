"""One name and one address whatever its spelling, and times in whole seconds, at every door."""

from typing import Any

import httpx
from tests.conftest import Clock
from tests.support.factories import Tenant
from tests.support.management_requests import ROOT, if_match

PARTNERS, CODES = f"{ROOT}/voucher-partners", f"{ROOT}/promo-codes"
CODE = {"name": "FRIENDS", "discountPercent": 10, "isActive": True, "restrictToEmailAddresses": True}
PROGRAM = {"storeExamCodes": ["NCA-GENL"], "costPerVoucher": 1}
DECOMPOSED = "Cafe\N{COMBINING ACUTE ACCENT}"


async def create(client: httpx.AsyncClient, tenant: Tenant, url: str, body: dict[str, Any]) -> tuple[int, Any]:
    answer = await client.post(url, json=body, headers=tenant.bearer)
    return answer.status_code, answer.json().get("name") or answer.json()["errors"][0]["code"]


async def test_spellings_of_one_name_are_one_partner(client: httpx.AsyncClient, tenant: Tenant) -> None:
    assert await create(client, tenant, PARTNERS, {"name": " Acme\t"}) == (201, "Acme")
    for name in ("Acme", "Acme ", "\N{NO-BREAK SPACE}ACME", "\N{ZERO WIDTH SPACE}Acme \N{ZERO WIDTH NO-BREAK SPACE}"):
        assert await create(client, tenant, PARTNERS, {"name": name}) == (400, "NameTaken")
    assert await create(client, tenant, PARTNERS, {"name": DECOMPOSED}) == (201, "Café")
    assert await create(client, tenant, PARTNERS, {"name": "CAFÉ"}) == (400, "NameTaken")
    for name in (DECOMPOSED, "CAFÉ"):
        answer = await client.get("/api/vouchers/partners", params={"partnerName": name}, headers=tenant.bearer)
        assert [each["name"] for each in answer.json()["data"]] == ["Café"]


async def test_every_other_name_is_kept_trimmed_and_composed(client: httpx.AsyncClient, tenant: Tenant) -> None:
    name = f"\N{ZERO WIDTH NO-BREAK SPACE} {DECOMPOSED}\N{NO-BREAK SPACE}\N{ZERO WIDTH SPACE}"
    bodies: dict[str, dict[str, Any]] = {
        "voucher-programs": PROGRAM,
        "store-exams": {"code": "X-1", "price": 1},
        "product-bundles": {"price": 1, "storeExamCodes": ["NCA-GENL"]},
        "clients": {"functionPoints": []},
        "keys": {"functionPoints": []},
    }
    for path, body in bodies.items():
        assert (path, await create(client, tenant, f"{ROOT}/{path}", body | {"name": name})) == (path, (201, "Café"))
    user = {"email": "c@example.com", "firstName": name, "lastName": " L ", "functionPoints": []}
    answer = await client.post(f"{ROOT}/users", json=user, headers=tenant.bearer)
    assert (answer.json()["firstName"], answer.json()["lastName"]) == ("Café", "L")


async def test_spellings_of_one_address_are_one_candidate(client: httpx.AsyncClient, tenant: Tenant) -> None:
    addresses = ["JOSÉ@example.com", "josé@EXAMPLE.com", "u@münchen.de", "U@xn--mnchen-3ya.de", "Ada@Example.com"]
    created = (await client.post(CODES, json=CODE | {"emailAddresses": addresses}, headers=tenant.bearer)).json()
    assert created["emailAddresses"] == ["JOSÉ@example.com", "u@münchen.de", "Ada@Example.com"]
    for email, is_valid in (
        ("jose\N{COMBINING ACUTE ACCENT}@example.com", True),
        ("U@MÜNCHEN.de", True),
        ("u@xn--mnchen-3ya.de", True),
        ("ada@example.com", True),
        ("jose@example.com", False),
    ):
        question = {"codes": ["FRIENDS"], "storeExamCode": "NCA-GENL", "candidate": {"email": email}}
        answer = await client.post("/storefront/v1/validations", json=question, headers=tenant.api_key)
        assert (email, answer.json()["results"][0]["isValid"]) == (email, is_valid)


async def test_spellings_of_one_address_are_one_user(client: httpx.AsyncClient, tenant: Tenant) -> None:
    user = {"email": "JOSÉ@münchen.de", "firstName": "J", "lastName": "M", "functionPoints": []}
    statuses = [
        (await client.post(f"{ROOT}/users", json=user | {"email": email}, headers=tenant.bearer)).status_code
        for email in ("JOSÉ@münchen.de", "josé@XN--MNCHEN-3YA.de")
    ]
    assert statuses == [201, 400]
    answer = await client.get(f"{ROOT}/users", params={"email": "José@MÜNCHEN.de"}, headers=tenant.bearer)
    assert [each["email"] for each in answer.json()["data"]] == ["josé@xn--mnchen-3ya.de"]


async def test_a_domain_abroad_is_its_ascii_form(client: httpx.AsyncClient, tenant: Tenant) -> None:
    body = PROGRAM | {"name": "P", "emailDomains": ["münchen.de", "XN--MNCHEN-3YA.DE"]}
    answer = await client.post(f"{ROOT}/voucher-programs", json=body, headers=tenant.bearer)
    assert (answer.status_code, answer.json()["emailDomains"]) == (201, ["xn--mnchen-3ya.de"])


async def test_an_expiry_in_whole_seconds_stays_valid_when_it_is_put_back(
    client: httpx.AsyncClient, tenant: Tenant, clock: Clock
) -> None:
    body = {"name": "FRACTION", "discountPercent": 10, "expiresAt": "2026-06-15T12:00:17.999Z"}
    created = (await client.post(CODES, json=body, headers=tenant.bearer)).json()
    assert created["expiresAt"] == "2026-06-15T12:00:17Z"
    clock.advance(minutes=1)
    answer = await client.put(f"{CODES}/{created['id']}", json=created | {"notes": "Over"}, headers=if_match(1, tenant))
    assert (answer.status_code, answer.json()["notes"]) == (200, "Over")
