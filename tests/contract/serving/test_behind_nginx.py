"""The real application behind nginx with the configuration of the guide: addresses, limits, and files of any size."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import NOW, serving_at_now
from tests.support import factories
from tests.support.factories import Tenant, percent_code
from tests.support.proxying import Proxy, needs_nginx, proxying

from tessera.api.serving.resources import Resources
from tessera.identity import provisioning
from tessera.identity.rules import FunctionPoint
from tessera.provision import Addresses
from tessera.settings import Settings

pytestmark = needs_nginx
CODES = "/management/v1/promo-codes"
IMPORTS = "/management/v1/promo-code-imports"


@pytest.fixture(scope="module")
def proxy(settings: Settings, addresses: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    directory: Path = tmp_path_factory.mktemp("nginx")
    with (
        serving_at_now(settings, addresses, trusted_proxies=["127.0.0.1"]) as server,
        proxying(server, directory=directory) as proxy,
    ):
        yield proxy


@pytest.fixture
async def coded(resources: Resources, tenant: Tenant) -> Tenant:
    """An organization with two promo codes."""
    codes = [percent_code(tenant, name) for name in ("FIRST", "SECOND")]
    await factories.add_promo_codes(resources, tenant, *codes, now=NOW)
    return tenant


def test_links_lead_through_the_proxy(proxy: Proxy, coded: Tenant) -> None:
    with proxy.client() as client:
        first = client.get(f"{CODES}?limit=1", headers=coded.bearer)
        link = first.json()["nextLink"]
        assert link.startswith(f"{proxy.url}{CODES}?")
        names = [page.json()["data"][0]["name"] for page in (first, client.get(link, headers=coded.bearer))]
        head = client.head(f"{CODES}?limit=1", headers=coded.bearer)
    assert names == ["FIRST", "SECOND"]
    assert (head.status_code, head.content, head.headers["Link"]) == (200, b"", first.headers["Link"])


def test_a_request_without_tls_is_sent_to_https(proxy: Proxy) -> None:
    with proxy.client() as client:
        answer = client.get(f"{proxy.plain}/promo-codes?page=2")
    assert (answer.status_code, answer.headers["Location"]) == (308, "https://127.0.0.1/promo-codes?page=2")


async def test_the_address_of_the_client_is_that_which_nginx_has_seen(
    proxy: Proxy, resources: Resources, tenant: Tenant
) -> None:
    rights, networks = [FunctionPoint.STOREFRONT_REDEEM], ["127.0.0.2/32"]
    async with resources.database.unit_of_work(tenant.id) as work:
        key = await provisioning.create_key(work, name="Shop", function_points=rights, networks=networks, now=NOW)
    headers = {"cv-api-key": key.secret or ""}
    with proxy.client("127.0.0.2") as shop, proxy.client("127.0.0.3") as stranger:
        assert shop.get("/api/v1/promo-codes?code=NONE", headers=headers).status_code == 404
        claims = {"X-Forwarded-For": "127.0.0.2", "Forwarded": "for=127.0.0.2"}
        assert stranger.get("/api/v1/promo-codes?code=NONE", headers=headers | claims).status_code == 401


def test_a_body_above_the_limit_is_refused_by_tessera_and_a_huge_one_by_nginx(proxy: Proxy, tenant: Tenant) -> None:
    with proxy.client() as client:
        large, huge = (
            client.post("/promo-codes", content=b" " * size, headers=tenant.bearer) for size in (2**20 + 1, 3 * 2**20)
        )
    assert (large.status_code, large.json()["errorCode"]) == (413, "RequestTooLarge")
    assert (huge.status_code, huge.headers["Content-Type"]) == (413, "text/html")


def test_a_long_header_is_refused_by_nginx(proxy: Proxy) -> None:
    with proxy.client() as client:
        assert client.get("/health/live", headers={"Cookie": "c" * 8000}).status_code == 200
        assert client.get("/health/live", headers={"Cookie": "c" * 8200}).status_code == 400


def test_a_large_file_is_imported_and_exported(proxy: Proxy, tenant: Tenant) -> None:
    lines = [f"CODE{number:05},10,{'n' * 256}" for number in range(8_000)]
    file = "\n".join(["name,discountPercent,notes", *lines]).encode()
    assert len(file) > 2 * 2**20  # the limit of other bodies
    headers = {"Content-Type": "text/csv"}
    with proxy.client() as client:
        assert client.post(IMPORTS, content=file, headers=headers | tenant.bearer).status_code == 201
        exported = client.get("/management/v1/exports/promo-codes", headers=tenant.bearer)
    assert exported.headers["Content-Type"].startswith("text/csv")
    assert exported.text.count("\n") == len(lines) + 1
