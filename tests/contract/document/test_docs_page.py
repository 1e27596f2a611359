"""The docs page as ops use it: in a real browser on a real server, without requests to other hosts."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.async_api import BrowserContext, Locator, expect
from tests.conftest import Clock
from tests.support import factories
from tests.support.browsing import Visit, needs_chromium, put_behind_a_proxy, visiting
from tests.support.factories import Tenant

from tessera.api.certiverse_promo import documentation
from tessera.api.docs.documents import TAGS
from tessera.api.serving.resources import Resources

pytestmark = needs_chromium


@dataclass
class Docs(Visit):
    """The docs page in a browser."""

    async def open(self, address: str) -> None:
        """Load the page and wait until it shows the tags."""
        await self.page.goto(address)
        await expect(self.page.locator(".opblock-tag").first).to_be_visible()

    async def find(self, words: str) -> Locator:
        """Type into the filter, which expands the tags of the matching operations; returns their blocks."""
        await self.page.get_by_label("Find an operation").fill(words)
        return self.page.locator(".opblock")

    async def fill(self, scheme: str, **inputs: str) -> Locator:
        """Fill in one form of the Authorize dialog by the ids of its inputs, and submit it; returns the form."""
        await self.page.locator(".auth-wrapper > .authorize").click()
        form = self.page.locator(".auth-container", has=self.page.locator("h4", has_text=scheme))
        for name, value in inputs.items():
            await form.locator(f"input#{name.replace('__', '-')}").fill(value)
        await form.locator("button.authorize").click()
        return form

    async def authorize(self, scheme: str, **inputs: str) -> None:
        """Fill in one form of the Authorize dialog, check that it is accepted, and close the dialog."""
        form = await self.fill(scheme, **inputs)
        await expect(form.locator("h6", has_text="Authorized")).to_be_visible()
        await form.locator(".btn-done").click()

    async def execute(self, operation_id: str) -> tuple[str, object]:
        """The status and body that the page shows after Execute."""
        await self.find(operation_id)
        operation = self.page.locator(f".opblock[id$='-{operation_id}']")
        await operation.locator(".opblock-summary-control").click()
        await operation.get_by_role("button", name="Execute").click()
        answer = operation.locator(".live-responses-table .response").first
        status = await answer.locator(".response-col_status").inner_text()
        return status.split()[0], json.loads(await answer.locator(".highlight-code pre").first.inner_text())


@pytest.fixture
async def blank(browser: BrowserContext, live_url: str) -> AsyncIterator[Docs]:
    async with visiting(Docs, browser, live_url) as docs:
        yield docs


@pytest.fixture
async def docs(blank: Docs, live_url: str) -> Docs:
    """The page with the operations of all APIs."""
    await blank.open(f"{live_url}/docs")
    return blank


@pytest.fixture
async def promo_docs(blank: Docs, live_url: str) -> Docs:
    """The page of one API, which a browser shows much sooner."""
    await blank.open(f"{live_url}/docs?api=certiverse-promo")
    return blank


async def test_client_credentials_fetch_a_token_that_lists_promo_codes(docs: Docs, tenant: Tenant) -> None:
    assert tenant.client.secret is not None
    await docs.authorize(
        "clientCredentials",
        client_id_clientCredentials=tenant.client.name,
        client_secret_clientCredentials=tenant.client.secret,
    )
    assert await docs.execute("listPromoCodes") == ("200", {"data": [], "nextLink": None})


async def test_the_filter_finds_operations_by_their_words(docs: Docs) -> None:
    await expect(docs.page.locator(".opblock")).to_have_count(0)  # only the tags, as an overview
    found = await docs.find("purchase PAY")
    await expect(found).to_have_count(1)
    await expect(found).to_contain_text("/management/v1/voucher-purchases/{voucherPurchaseId}/pay")
    await expect(docs.page.locator(".opblock-tag")).to_have_count(1)
    await docs.find("")
    await expect(docs.page.locator(".opblock-tag")).to_have_count(len(TAGS))


# A browser takes seconds to show the page, so that each of these tests does several things with it.
async def test_a_missing_credential_and_a_wrong_secret_are_refused_on_the_page(
    promo_docs: Docs, tenant: Tenant
) -> None:
    promo_docs.expected = ["Failed to load resource: the server responded with a status of 401 (Unauthorized)"] * 2
    error = {"errorCode": "NotAuthenticated", "errorMessages": ["A Bearer token is required."]}
    assert await promo_docs.execute("listPromoCodes") == ("401", error)
    form = await promo_docs.fill(
        "clientCredentials", client_id_clientCredentials=tenant.client.name, client_secret_clientCredentials="wrong"
    )
    await expect(form.locator(".errors")).to_contain_text("The client or its secret is not valid.")


async def test_a_bearer_token_creates_the_code_of_the_example_and_is_remembered_for_the_tab_and_nowhere_else(
    promo_docs: Docs, tenant: Tenant
) -> None:
    await promo_docs.authorize("bearerToken", auth__bearer__value=tenant.token.secret)
    assert await promo_docs.execute("createPromoCode") == ("201", documentation.PROMO_CODE)
    await promo_docs.page.reload()
    status, page = await promo_docs.execute("listPromoCodes")
    assert (status, page) == ("200", {"data": [documentation.PROMO_CODE], "nextLink": None})
    assert await promo_docs.page.evaluate("[localStorage.length, document.cookie]") == [0, ""]


async def test_an_api_key_validates_a_promo_code_in_the_api_that_is_chosen(
    promo_docs: Docs, tenant: Tenant, resources: Resources, clock: Clock
) -> None:
    await factories.add_promo_codes(resources, tenant, factories.percent_code(tenant, "PER10"), now=clock.now)
    await promo_docs.page.locator("#apis").get_by_role("link", name="CareValidate").click()
    await expect(promo_docs.page.locator(".opblock")).to_have_count(1)
    await expect(promo_docs.page.locator("[aria-current]")).to_have_text("CareValidate")
    await promo_docs.authorize("apiKey", api_key_value=tenant.key.secret)
    assert await promo_docs.execute("validatePromoCode") == (
        "200",
        {"success": True, "data": [{"percentDiscount": 10}]},
    )


async def test_under_a_prefix_the_page_calls_what_lies_under_it_too(blank: Docs, live_url: str, tenant: Tenant) -> None:
    assert tenant.client.secret is not None
    prefix = await put_behind_a_proxy(blank.page, live_url)
    await blank.open(f"{prefix}/docs?api=certiverse-promo")
    urls: list[str] = []
    blank.page.on("request", lambda request: urls.append(request.url))
    await blank.authorize(
        "clientCredentials",
        client_id_clientCredentials=tenant.client.name,
        client_secret_clientCredentials=tenant.client.secret,
    )
    assert await blank.execute("listPromoCodes") == ("200", {"data": [], "nextLink": None})
    assert urls == [f"{prefix}/oauth/token", f"{prefix}/promo-codes?page=1"]


async def test_only_the_files_of_the_page_itself_may_run_in_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs")
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
