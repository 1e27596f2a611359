"""The documents and pages over HTTP: compressed, one document for each API, and switched off by a setting."""

import gzip
import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.contract.document.test_openapi import operations, references

from tessera.api.application import create_app
from tessera.api.docs.documents import PARTS
from tessera.api.serving.resources import Resources

BEARER = {"bearerToken", "clientCredentials", "clientIdAndSecret"}
SCHEMES = {
    "certiverse-promo": BEARER,
    "certiverse-vouchers": BEARER,
    "carevalidate": {"apiKey"},
    "storefront": BEARER | {"apiKey"},
    "management": BEARER,
}


def operation_ids(document: dict[str, Any]) -> set[str]:
    return {operation["operationId"] for operation in operations(document)}


async def test_the_document_is_compressed_for_clients_that_accept_it(client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/openapi.json", headers={"Accept-Encoding": "br, gzip;q=0.5"}) as answer:
        compressed = b"".join([part async for part in answer.aiter_raw()])
    plain = await client.get("/openapi.json", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(compressed) == plain.content
    assert len(compressed) < 100_000
    assert answer.headers["ETag"] != plain.headers["ETag"]


async def test_a_client_that_has_the_document_gets_304(client: httpx.AsyncClient) -> None:
    first = await client.get("/openapi.json")
    again = await client.get("/openapi.json", headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    other = await client.get("/openapi.json", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


@pytest.mark.parametrize("name", SCHEMES)
async def test_each_api_has_a_document_with_all_that_it_needs_and_no_more(
    client: httpx.AsyncClient, app: FastAPI, name: str
) -> None:
    document = (await client.get(f"/openapi/{name}.json")).json()
    assert set(document["components"]["securitySchemes"]) == SCHEMES[name]
    assert {tag["name"] for tag in document["tags"]} == {
        tag for operation in operations(document) for tag in operation["tags"]
    }
    assert set(references(document)) == {
        f"#/components/schemas/{schema}" for schema in document["components"]["schemas"]
    }
    whole = app.openapi()
    assert all(document["paths"][path].items() <= whole["paths"][path].items() for path in document["paths"])


def test_the_documents_of_the_apis_cover_the_whole_document(app: FastAPI) -> None:
    assert [part.name for part in PARTS] == list(SCHEMES)
    groups = app.openapi()["x-tagGroups"]
    assert [tag for group in groups for tag in group["tags"]] == [tag["name"] for tag in app.openapi()["tags"]]


async def test_the_documents_of_the_apis_have_every_operation_but_the_health_checks(
    client: httpx.AsyncClient, app: FastAPI
) -> None:
    documents = [(await client.get(f"/openapi/{name}.json")).json() for name in SCHEMES]
    covered = set().union(*map(operation_ids, documents))
    assert operation_ids(app.openapi()) - covered == {"checkLiveness", "checkReadiness"}


async def test_the_home_page_links_to_what_the_server_has(client: httpx.AsyncClient) -> None:
    home = await client.get("/")
    assert (home.status_code, home.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    links = re.findall('href="([^":]+)"', home.text)
    # The link to the storefront is there where the demonstration data is loaded.
    documents = [f"openapi/{name}.json" for name in SCHEMES]
    assert links == ["home.css", "docs", "guide/", "openapi.json", *documents, "health/ready", "health/live"]
    assert {(await client.get(f"/{link}")).status_code for link in links} == {200}
    slash = await client.get("/docs/")
    assert (slash.status_code, slash.headers["Location"]) == (307, "../docs")


async def test_documents_and_page_can_be_switched_off(resources: Resources) -> None:
    app = create_app(resources, with_docs=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        paths = ("/docs", "/docs/", "/docs/docs.js", "/guide", "/guide/", "/openapi.json", "/openapi/carevalidate.json")
        assert [(await client.get(path)).status_code for path in paths] == [404] * len(paths)
        home = await client.get("/")
    assert home.status_code == 200
    assert re.findall('href="([^":]+)"', home.text) == ["home.css", "health/ready", "health/live"]
