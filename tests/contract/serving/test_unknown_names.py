"""Unknown names in requests: our own APIs refuse them everywhere, and the documented APIs ignore them."""

from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from tests.support.factories import Tenant
from tests.support.management_requests import ROOT, invalid, platform_administrator, problem
from tests.support.responses import status_and_body

from tessera.api.serving.resources import Resources

OWN_APIS = ("/storefront/", "/management/")
URL = f"{ROOT}/promo-codes"
Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    return dict((await client.get("/openapi.json")).json())


def operations(document: dict[str, Any]) -> list[Operation]:
    """The method, path and documentation of each operation of our own APIs."""
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith(OWN_APIS)
    ]


def malformed(detail: str) -> tuple[int, Any]:
    return problem(400, "malformed-request", "The request cannot be read", detail)


def url_of(path: str, operation: dict[str, Any]) -> str:
    """The path with values of parameters that name nothing."""
    return path.replace("{code}", "R").format_map(dict.fromkeys(parameters(operation, "path"), uuid4()))


def json_schema(operation: dict[str, Any]) -> Any:
    return operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")


async def test_every_operation_of_our_own_refuses_an_unknown_parameter_and_property_and_a_repeated_one(
    client: httpx.AsyncClient,
    tenant: Tenant,
    resources: Resources,
    superuser: psycopg.Connection[Any],
    document: dict[str, Any],
) -> None:
    administrator = await platform_administrator(resources, superuser)
    ignoring, missing = [], []
    for method, path, operation in operations(document):
        headers = administrator if "/organizations" in path else tenant.bearer
        url = url_of(path, operation)
        repeated = parameters(operation, "query")
        query = "&".join(["yyyyyyyyy=1", *(f"{name}=1" for name in 2 * repeated)])
        body = {"zzzzzzzzz": 1} if json_schema(operation) else None
        answer = await client.request(method, f"{url}?{query}", headers=headers | {"If-Match": "1"}, json=body)
        expected = {"/yyyyyyyyy": "UnknownParameter"} | {f"/{name}": "Repeated" for name in repeated}
        expected |= {"/zzzzzzzzz": "UnknownProperty"} if body else {}
        if answer.status_code == 404 and body:
            missing.append(path)
        elif answer.status_code != 400 or expected.items() - codes(answer).items():
            ignoring.append((method, path, answer.text))
    assert ignoring == []
    # The rules of these changes need the resource, so its absence comes first; they parse bodies as all others do.
    assert [path for path in missing if "Id}" not in path] == []


def parameters(operation: dict[str, Any], place: str) -> list[str]:
    return [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == place]


def codes(answer: httpx.Response) -> dict[str, str]:
    return {error["pointer"]: error["code"] for error in answer.json().get("errors", [])}


def test_only_the_bodies_of_our_own_apis_are_closed(document: dict[str, Any]) -> None:
    ours = {schema["$ref"].rpartition("/")[2] for _, _, each in operations(document) if (schema := json_schema(each))}
    schemas = document["components"]["schemas"]
    pending = list(ours)
    while pending:
        references = set(map(str, references_in(schemas[pending.pop()]))) - ours
        ours |= references
        pending += references
    closed = {
        name for name in schemas if schemas[name].get("additionalProperties") is False and name.endswith("Request")
    }
    assert {name for name in ours if schemas[name]["type"] == "object"} == closed


def references_in(value: Any) -> list[str]:
    match value:
        case {"$ref": reference}:
            return [reference.rpartition("/")[2]]
        case dict():
            return [name for member in value.values() for name in references_in(member)]
        case list():
            return [name for member in value for name in references_in(member)]
        case _:
            return []


async def test_an_unknown_name_is_one_violation_among_all_others(client: httpx.AsyncClient, tenant: Tenant) -> None:
    body = {
        "maxRedemtions": 10,
        "name": "X",
        "max_redemptions": 5,
        "discountPercent": 0,
        "a/b~": None,
        "isActive": True,
        "percentDiscount": 10,
    }
    answer = await client.post(f"{URL}?dryrun=true", json=body, headers=tenant.bearer)
    nearest = "is not a known property (did you mean maxRedemptions?)."
    assert status_and_body(answer) == invalid(
        ("/discountPercent", "DiscountPercentRange", "discountPercent must be between 1 and 100."),
        ("/name", "NameLength", "name must have 3 to 25 characters."),
        ("/maxRedemtions", "UnknownProperty", f"maxRedemtions {nearest}"),
        ("/max_redemptions", "UnknownProperty", f"max_redemptions {nearest}"),
        ("/a~1b~0", "UnknownProperty", "a~1b~0 is not a known property."),
        (
            "/percentDiscount",
            "UnknownProperty",
            "percentDiscount is not a known property (did you mean discountPercent?).",
        ),
        ("/dryrun", "UnknownParameter", "dryrun is not a known parameter."),
    )


async def test_nested_unknown_names_are_violations(client: httpx.AsyncClient, tenant: Tenant) -> None:
    candidate = {"personId": "P", "clientCandidateId": "C", "firstName": "A", "lastName": 1, "emial": None}
    body = {"code": "X", "reservationCode": "R", "storeExamCode": "NCA-GENL", "candidate": candidate, "holdSecond": 1}
    answer = await client.post("/storefront/v1/redemptions?x=1", json=body, headers=tenant.api_key)
    assert status_and_body(answer) == invalid(
        ("/candidate/lastName", "NotLabel", "candidate/lastName must be a string of 1 to 200 characters."),
        ("/candidate/emial", "UnknownProperty", "candidate/emial is not a known property (did you mean email?)."),
        ("/holdSecond", "UnknownProperty", "holdSecond is not a known property (did you mean holdSeconds?)."),
        ("/x", "UnknownParameter", "x is not a known parameter."),
    )
    bulk = {"action": "Assign", "vouchers": [{"code": "V", "recipientEmial": "a@example.com"}]}
    answer = await client.post(f"{ROOT}/vouchers/bulk", json=bulk, headers=tenant.bearer)
    assert codes(answer)["/vouchers/0/recipientEmial"] == "UnknownProperty"


async def test_an_unknown_parameter_is_a_violation_beside_those_of_known_ones(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    answer = await client.get(f"{URL}?limit=0&Status=Active&stauts=&q=1", headers=tenant.bearer)
    assert status_and_body(answer) == invalid(
        ("/limit", "LimitRange", "limit must be an integer from 1 to 1,000."),
        ("/Status", "UnknownParameter", "Status is not a known parameter (did you mean status?)."),
        ("/stauts", "UnknownParameter", "stauts is not a known parameter (did you mean status?)."),
        ("/q", "UnknownParameter", "q is not a known parameter."),
    )


async def test_many_long_unknown_names_have_a_short_answer(client: httpx.AsyncClient, tenant: Tenant) -> None:
    body = {f"{number}{'x' * 500}": 1 for number in range(1_500)}
    answer = await client.post(URL, json=body, headers=tenant.bearer)
    assert (answer.status_code, len(answer.content) < 100_000) == (400, True)


async def test_every_operation_of_our_own_refuses_a_repeated_property(
    client: httpx.AsyncClient,
    tenant: Tenant,
    resources: Resources,
    superuser: psycopg.Connection[Any],
    document: dict[str, Any],
) -> None:
    administrator = await platform_administrator(resources, superuser)
    expected = malformed("The request body repeats the property a~1b.")
    for method, path, operation in operations(document):
        if json_schema(operation):
            headers = administrator if "/organizations" in path else tenant.bearer
            url = url_of(path, operation)
            body = b'{"x": [{"a/b": 1, "A/B": 1, "a\\u002fb": 2}]}'
            more = {"If-Match": "1", "Content-Type": "application/json"}
            answer = await client.request(method, url, headers=headers | more, content=body)
            assert status_and_body(answer) == expected, (method, path)


async def test_a_body_that_is_nested_deeply_or_has_a_long_number_is_400(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    headers = tenant.bearer | {"Content-Type": "application/json"}
    for depth, digits in ((900, 1), (1000, 1), (1020, 1), (100_000, 1), (1, 4300), (1, 4301), (1, 100_000)):
        body = b'{"a":' * depth + b"1" * digits + b"}" * depth
        assert (await client.post(URL, content=body, headers=headers)).status_code == 400


async def test_the_last_one_of_repeated_properties_counts_in_the_documented_apis(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    terms = '"storeExamCodes": ["NCA-GENL"], "discountPercent": 10, "maxRedemptions": 1'
    body = f'{{"promoCodeName": "FIRST", "expirationDateUtc": "2030-01-01T00:00:00", {terms}, "promoCodeName": "LAST"}}'
    headers = tenant.bearer | {"Content-Type": "application/json"}
    answer = await client.post("/promo-codes", content=body, headers=headers)
    assert (answer.status_code, answer.json()["promoCodeName"]) == (201, "LAST")


async def test_the_documented_apis_ignore_unknown_names(client: httpx.AsyncClient, tenant: Tenant) -> None:
    url = "/api/v1/promo-codes?code=NONE&x=1"
    assert (await client.get(url, headers=tenant.api_key)).status_code == 404
    assert (await client.get("/promo-codes?x=1", headers=tenant.bearer)).status_code == 200
    body = {
        "promoCodeName": "IGNORES",
        "storeExamCodes": ["NCA-GENL"],
        "discountPercent": 10,
        "expirationDateUtc": "2030-01-01T00:00:00",
        "maxRedemptions": 1,
        "maxRedemtions": 2,
    }
    assert (await client.post("/promo-codes?x=1", json=body, headers=tenant.bearer)).status_code == 201


async def test_a_cursor_stands_beside_the_link_to_the_next_page(client: httpx.AsyncClient, tenant: Tenant) -> None:
    url = f"{ROOT}/store-exams?limit=2"
    first = (await client.get(url, headers=tenant.bearer)).json()
    assert first["nextLink"].endswith(f"{url}&cursor={first['nextCursor']}")
    last = (await client.get(f"{url}&cursor={first['nextCursor']}", headers=tenant.bearer)).json()
    assert (len(last["data"]), last["nextLink"], last["nextCursor"]) == (1, None, None)


def test_every_list_by_cursor_documents_the_cursor_beside_the_link(document: dict[str, Any]) -> None:
    lists = {
        operation["operationId"]: set(
            document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
        )
        for _, _, operation in operations(document)
        if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", []))
        if (schema := operation["responses"]["200"]["content"]["application/json"]["schema"])
    }
    assert len(lists) > 10
    assert [name for name, members in lists.items() if not {"nextLink", "nextCursor"} <= members] == []
