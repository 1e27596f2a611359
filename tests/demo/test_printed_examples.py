"""The examples of the OpenAPI document, sent as they are printed to a server with the demonstration data."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.conftest import migrated_database
from tests.demo.conftest import Demonstration, load_into
from tests.support.authentication_requests import basic

from tessera import main, provision, schema
from tessera.api.application import create_app
from tessera.demo import organizations
from tessera.demo.organizations import DemoOrganization
from tessera.kit.clock import clock
from tessera.settings import Settings

# Operations on resources whose ids are generated: their examples need the id of another response.
GENERATED = (
    "{id}",
    "{batchId}",
    "{userId}",
    "{apiClientId}",
    "{keyId}",
    "{tokenId}",
    "{organizationId}",
    "{auditEntryId}",
    "{redemptionId}",
)
# A first change, like every PUT: If-Match has the first version in all examples.
CHANGES = ("payVoucherPurchase",)
# The example of a client cannot be a real one.
EXCLUDED = ("createAccessToken",)

Request = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
async def small(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demonstration]:
    """The demonstration data of one organization, without most of the generated codes and vouchers."""
    directory = tmp_path_factory.mktemp("examples")
    organization = DemoOrganization("Aurora Certification Board", promo_codes=5, welcome_percent=10, bulk_purchases=0)
    with pytest.MonkeyPatch.context() as patch, migrated_database(cluster, "examples") as addresses:
        patch.setattr(organizations, "ORGANIZATIONS", (organization,))
        now = clock()
        yield Demonstration(addresses, directory, await load_into(addresses, directory, now=now), now)


@pytest.fixture
async def client(small: Demonstration, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    database = provision.create_pool(settings, small.addresses.application)
    resources = main.create_resources(settings, database, schema_revision=schema.latest_revision())
    app = create_app(resources)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        yield client
    await database.close()


def printed(app: FastAPI) -> Iterator[Request]:
    """Reads, creations and first changes, in this order: path, method and operation."""
    requests = [
        (path, method, operation)
        for path, item in app.openapi()["paths"].items()
        for method, operation in item.items()
        if not any(name in path for name in GENERATED) and operation["operationId"] not in EXCLUDED
    ]
    yield from (each for each in requests if each[1] == "get")
    yield from (each for each in requests if each[1] == "post" and "{" not in each[0])
    yield from (each for each in requests if each[1] == "put" or each[2]["operationId"] in CHANGES)


def arguments(operation: dict[str, Any]) -> dict[str, Any]:
    """What the docs page sends: the examples of the body, of required parameters, and of a required filter."""
    values: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
    for each in operation.get("parameters", []):
        if each["required"] or each["name"] == operation.get("x-example-filter"):
            values[each["in"]][each["name"]] = each["example"]
    content = operation.get("requestBody", {}).get("content", {})
    for media_type, body in content.items():
        values["header"]["Content-Type"] = media_type
        sent = {"json": body["example"]} if media_type == "application/json" else {"content": body["example"]}
        return {"values": values, **sent}
    return {"values": values}


@pytest.fixture
def credentials(small: Demonstration) -> dict[str, dict[str, str]]:
    """The headers of each security scheme, and those of an administrator of the platform."""
    [organization] = small.credentials.organizations
    return {
        "apiKey": {"cv-api-key": organization.api_key},
        "bearerToken": {"Authorization": f"Bearer {organization.administrator_token}"},
        "clientIdAndSecret": basic(organization.client_id, organization.client_secret),
        "platform": {"Authorization": f"Bearer {small.credentials.platform_administrator_token}"},
    }


def scheme(path: str, operation: dict[str, Any]) -> str:
    """The credential that an operation is tried with."""
    if path.startswith("/management/v1/organizations"):
        return "platform"
    return next((name for option in operation.get("security", []) for name in option), "")


async def test_the_printed_examples_of_every_api_work(
    client: httpx.AsyncClient, credentials: dict[str, dict[str, str]], app: FastAPI
) -> None:
    failures, count = [], 0
    for path, method, operation in printed(app):
        sent = arguments(operation)
        values = sent.pop("values")
        url, headers = path.format(**values["path"]), values["header"] | credentials.get(scheme(path, operation), {})
        answer = await client.request(method.upper(), url, params=values["query"], headers=headers, **sent)
        count += 1
        if not answer.is_success:
            failures.append((operation["operationId"], answer.status_code, answer.text))
    assert failures == []
    assert count > 50


async def test_the_problem_in_the_guide_is_one_of_the_server(
    client: httpx.AsyncClient, credentials: dict[str, dict[str, str]]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()
    [example] = re.findall("```json\n(.*?)```", page, re.DOTALL)
    body = {"name": "GUIDE", "discountPercent": 10, "storeExamCodes": ["NCA-GENL"], "maxRedemptions": 0}
    answer = await client.post("/management/v1/promo-codes", headers=credentials["bearerToken"], json=body)
    assert answer.json() == json.loads(example)


LIMITS = Path(__file__).with_name("limits.txt")
Limit = tuple[tuple[str | int, ...], str, Any, Any]
STEPS = {
    "maxLength": 1,
    "maximum": 1,
    "maxItems": 1,
    "minLength": -1,
    "minimum": -1,
    "minItems": -1,
    "exclusiveMinimum": -1,
}
# Fields that exclude each other, and one whose limit depends on another one.
ALTERNATIVES = {"discountPercent": "flatDiscount", "flatDiscount": "discountPercent", "length": "prefix"}


def limits(document: dict[str, Any], schema: dict[str, Any], example: Any) -> Iterator[Limit]:
    """Each limit of a value: its path in the example, its text, a value within the limit and one beyond it."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for keyword in STEPS.keys() & schema.keys():
        limit = schema[keyword] + (keyword == "exclusiveMinimum")
        stated = f"{keyword} {schema[keyword]}"
        yield (), stated, value_of(keyword, limit, example), value_of(keyword, limit + STEPS[keyword], example)
    for name, member in schema.get("properties", {}).items():
        for path, *rest in limits(document, member, (example or {}).get(name)):
            yield ((name, *path), *rest)
    if "items" in schema and example:
        for path, *rest in limits(document, schema["items"], example[0]):
            yield ((0, *path), *rest)


def value_of(keyword: str, number: int, example: Any) -> Any:
    """A text of this length, a list of so many items, or the number."""
    if keyword.endswith("Length"):
        return "X" * number
    return items(example, number) if keyword.endswith("Items") else number


def items(example: list[Any] | None, count: int) -> list[Any]:
    """Different items that resemble the first one of a list."""
    [first, *_] = example or ["X"]
    if not isinstance(first, str):
        return [first] * count
    return [f"{number}{first}" for number in range(count)]


def changed(example: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The example with this value at this path."""
    body = deepcopy(example)
    if (other := ALTERNATIVES.get(str(path[-1]))) in body:
        del body[other]
    target: Any = body
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = [f"10.0.0.{number}" for number in range(len(value))] if path == ("networks",) else value
    return body


def violations(answer: httpx.Response, path: tuple[str | int, ...]) -> set[str]:
    """The violations of the value at a path, in any dialect."""
    pointer = "/".join(map(str, path))
    if answer.status_code != 400:
        return set()
    if "errors" in answer.json():
        found = [(each["pointer"].removeprefix("/"), each["code"]) for each in answer.json()["errors"]]
    else:
        found = [tuple(text.split(" ", 1)) for text in answer.json()["errorMessages"]]
    return {code for place, code in found if place == pointer}


Write = tuple[str, dict[str, Any], dict[str, Any], Callable[[Any], Awaitable[httpx.Response]]]


def writes(client: httpx.AsyncClient, credentials: dict[str, dict[str, str]], app: FastAPI) -> Iterator[Write]:
    """Each operation with a JSON body: its path, the schema and the example of its body, and a sender."""
    for path, method, operation in printed(app):
        sent = arguments(operation)
        if "json" in sent:
            headers = sent["values"]["header"] | credentials[scheme(path, operation)] | {"If-Match": "*"}
            url = path.format(**sent["values"]["path"])
            send = partial(_send, client, method.upper(), url, headers)
            yield path, operation["requestBody"]["content"]["application/json"]["schema"], sent["json"], send


async def _send(client: httpx.AsyncClient, method: str, url: str, headers: dict[str, str], body: Any) -> httpx.Response:
    answer = await client.request(method, url, headers=headers, json=body)
    assert answer.status_code < 500, answer.text
    return answer


async def test_every_documented_limit_of_a_body_is_exact(
    client: httpx.AsyncClient, credentials: dict[str, dict[str, str]], app: FastAPI
) -> None:
    document, failures, found = app.openapi(), [], []
    for path, shape, example, send in writes(client, credentials, app):
        for place, limit, within, beyond in limits(document, shape, example):
            allowed = violations(await send(changed(example, place, within)), place)
            refused = violations(await send(changed(example, place, beyond)), place)
            found.append(f"{path} {'/'.join(map(str, place))} {limit}")
            if not refused - allowed:
                failures.append((path, place, limit, allowed, refused))
    assert failures == []
    # What clients rely on, so that no limit changes unnoticed.
    assert sorted(found) == LIMITS.read_text().splitlines()


async def test_every_name_is_kept_trimmed_and_composed(
    client: httpx.AsyncClient, credentials: dict[str, dict[str, str]], app: FastAPI
) -> None:
    document, failures, count = app.openapi(), [], 0
    for path, shape, example, send in writes(client, credentials, app):
        for place, limit, *_ in limits(document, shape, example):
            if path.startswith("/management") and limit == "maxLength 200":
                count += 1
                name = f" Cafe\N{COMBINING ACUTE ACCENT} {count}\N{NO-BREAK SPACE}"
                unique = {"email": f"{count}@example.com", "code": f"NAME-{count}"}
                body = changed(example, place, name)
                answer = await send(body | {key: value for key, value in unique.items() if key in body})
                if answer.json().get(place[-1]) != f"Café {count}":
                    failures.append((path, place, answer.text))
    assert failures == []
    assert count > 12
