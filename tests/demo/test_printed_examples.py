"""The examples of the OpenAPI document, sent as they are printed to a server with the demonstration data."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.conftest import migrated_database
from tests.demo.conftest import Demonstration, load_into
from tests.support.authentication_requests import basic

from tessera import main, schema
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
    database = main.create_database(settings, small.addresses.application)
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


async def test_the_printed_examples_of_every_api_work(
    client: httpx.AsyncClient, small: Demonstration, app: FastAPI
) -> None:
    [organization] = small.credentials.organizations
    administrator = f"Bearer {organization.administrator_token}"
    credentials = {
        "apiKey": {"cv-api-key": organization.api_key},
        "bearerToken": {"Authorization": administrator},
        "clientIdAndSecret": basic(organization.client_id, organization.client_secret),
    }
    platform = {"Authorization": f"Bearer {small.credentials.platform_administrator_token}"}
    failures, count = [], 0
    for path, method, operation in printed(app):
        accepted = next((name for option in operation.get("security", []) for name in option), None)
        credential = credentials[accepted] if accepted else {}
        if path.startswith("/management/v1/organizations"):
            credential = platform
        sent = arguments(operation)
        values = sent.pop("values")
        url, headers = path.format(**values["path"]), values["header"] | credential
        answer = await client.request(method.upper(), url, params=values["query"], headers=headers, **sent)
        count += 1
        if not answer.is_success:
            failures.append((operation["operationId"], answer.status_code, answer.text))
    assert failures == []
    assert count > 50
