"""The demonstration storefront as its customers use it: in a real browser, against a real server."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import BrowserContext, Locator, Request, Route, ViewportSize, expect
from tests.demo.conftest import Demonstration
from tests.support.browsing import Visit, needs_chromium, put_behind_a_proxy, visiting
from tests.support.live import serving

from tessera import main, provision, schema
from tessera.api.application import create_app
from tessera.demo.storefront import page
from tessera.settings import Settings

pytestmark = needs_chromium

PHONE: ViewportSize = {"width": 360, "height": 740}
ANY_VERSION = {"If-Match": "*"}
TEXT, LARGE = 4.5, 3.0  # WCAG 2.2 AA: contrast of text, and of other objects


@dataclass
class Storefront(Visit):
    """The storefront in a browser."""

    url: str = ""
    api_key: str = ""

    async def open(self, url: str) -> None:
        await self.page.goto(f"{url}/demo/storefront")
        await expect(self.page.get_by_label("Exam").locator("option")).to_have_count(5)

    async def fill(self, code: str, **more: str) -> None:
        """Fill in the form for Ada without an e-mail address; fields are named by their ids."""
        for field, value in {"code": code, "first-name": "Ada", "last-name": "Byron", **more}.items():
            await self.page.locator(f"#{field}").fill(value)

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name).click()

    async def hold(self, code: str, **more: str) -> None:
        await self.fill(code, **more)
        await self.press("Hold the code")

    async def expect_title(self, text: str) -> None:
        """Check that the booking has this state, and that it is announced to screen readers."""
        await expect(self.page.get_by_role("heading", name=text)).to_be_focused()

    @property
    def said(self) -> Locator:
        return self.page.get_by_role("status")

    async def ask(self, **filters: str) -> list[dict[str, Any]]:
        """The redemptions that the server has."""
        async with httpx.AsyncClient(base_url=self.url, headers={"cv-api-key": self.api_key}, timeout=90) as client:
            answer = await client.get("/storefront/v1/redemptions", params=filters)
        records: list[dict[str, Any]] = answer.json()["data"]
        return records

    async def booking(self) -> dict[str, Any]:
        """The redemption of the displayed reservation."""
        [result] = await self.ask(reservationCode=await self.page.locator("#booking-reservation").inner_text())
        return result


@pytest.fixture(scope="module")
def storefront_url(demonstration: Demonstration, settings: Settings) -> Iterator[str]:
    resources = main.create_resources(
        settings,
        provision.create_pool(settings, demonstration.addresses.application),
        schema_revision=schema.latest_revision(),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await resources.database.close()

    app = create_app(resources, lifespan=lifespan)
    page.install(app, demonstration.credentials.organizations[0])
    with serving(app) as url:
        yield url


@pytest.fixture
async def shop(browser: BrowserContext, demonstration: Demonstration, storefront_url: str) -> AsyncIterator[Storefront]:
    async with visiting(Storefront, browser, storefront_url) as found:
        found.url, found.api_key = storefront_url, demonstration.credentials.organizations[0].api_key
        await found.open(storefront_url)
        yield found


def managing(shop: Storefront, demonstration: Demonstration) -> httpx.AsyncClient:
    """A client of the management API for an administrator of the shop's organization."""
    headers = {"Authorization": f"Bearer {demonstration.credentials.organizations[0].administrator_token}"}
    return httpx.AsyncClient(base_url=f"{shop.url}/management/v1", headers=headers, timeout=90)


def refusal(status: int) -> str:
    words = {400: "Bad Request", 409: "Conflict", 503: "Service Unavailable"}[status]
    return f"Failed to load resource: the server responded with a status of {status} ({words})"


async def test_valid_codes_show_their_price_and_invalid_ones_every_reason(shop: Storefront) -> None:
    await shop.fill("welcome")
    await shop.press("Check the code")
    await expect(shop.said).to_contain_text("WELCOME is valid.")
    assert await shop.page.locator("#price dd").all_inner_texts() == ["$135.00", "-$13.50", "$121.50"]
    await shop.fill("NEVERMORE")
    await shop.press("Check the code")
    await expect(shop.said.locator("p")).to_have_text("NEVERMORE cannot be used:")
    assert await shop.said.locator("li").all_inner_texts() == [
        "The code is not valid now.",
        "The code has expired.",
        "The code is not for this exam.",
    ]
    await shop.fill("NEXTMONTH")
    await shop.press("Check the code")
    await expect(shop.said.locator("li")).to_have_text(
        re.compile(r"This code cannot be used yet\. It starts on \w+ \d")
    )
    await shop.page.get_by_label("Exam").select_option("Security Practice")
    await shop.fill("SPRING-UNUSED")
    await shop.press("Check the code")
    await expect(shop.said).to_contain_text("SPRING-UNUSED is valid.")
    assert await shop.page.locator("#price dd").all_inner_texts() == ["$320.00", "-$320.00", "$0.00"]


async def test_a_code_is_checked_by_keyboard_without_a_booking(shop: Storefront) -> None:
    await shop.page.get_by_label("Exam").focus()
    await shop.page.keyboard.press("Tab")
    await shop.page.keyboard.type("nothing")
    await shop.page.keyboard.press("Enter")
    await expect(shop.said.locator("li")).to_have_text("The code does not exist. Please check the spelling.")
    assert await shop.ask(code="nothing") == []


async def test_a_hold_is_confirmed_and_cancelled(shop: Storefront) -> None:
    await shop.hold("WELCOME", email="ada@example.com")
    await shop.expect_title("The code is on hold for you")
    await expect(shop.page.get_by_role("timer")).to_have_text(re.compile(r"^14:([0-4]\d|5[0-8])$"))
    assert (await shop.booking())["status"] == "Held"
    await shop.press("Confirm for $121.50")
    await shop.expect_title("Your exam is booked")
    booked = await shop.booking()
    assert (booked["status"], booked["candidate"]["email"]) == ("Redeemed", "ada@example.com")
    await shop.press("Cancel the booking")
    await shop.expect_title("The booking is cancelled")
    assert (await shop.booking())["status"] == "Cancelled"


async def test_the_next_booking_has_a_code_of_its_own(shop: Storefront) -> None:
    codes = []
    for _ in range(2):
        await shop.hold("WELCOME")
        await shop.expect_title("The code is on hold for you")
        codes.append((await shop.booking())["reservationCode"])
        await shop.press("Release the code")
        await shop.expect_title("The code is released")
        assert (await shop.booking())["status"] == "Released"
        await shop.press("Book another exam")
    assert len(set(codes)) == 2


async def test_a_hold_runs_out_in_sight(shop: Storefront) -> None:
    await shop.page.locator("#hold-for option").first.evaluate("option => { option.value = 1 }")
    await shop.hold("WELCOME")
    await shop.expect_title("The hold has expired")
    assert (await shop.booking())["status"] == "Expired"


async def test_codes_are_combined_and_the_hold_of_all_is_extended(shop: Storefront) -> None:
    shop.expected = [refusal(409), refusal(409)]
    await shop.page.locator("#hold-for option").first.evaluate("option => { option.value = 60 }")
    await shop.hold("STACK20")
    await shop.expect_title("The code is on hold for you")
    for code, error in (("WELCOME", "cannot be used together"), ("NOTHING", "does not exist")):
        await shop.page.get_by_label("Another code").fill(code)
        await shop.press("Add the code")
        await expect(shop.page.locator("#another-error")).to_contain_text(error)
        assert await shop.page.locator("#price dd").all_inner_texts() == ["$135.00", "-$27.00", "$108.00"]
    await shop.page.get_by_label("Another code").fill("STACK10")
    await shop.press("Add the code")
    await expect(shop.page.locator("#discount-code")).to_have_text("STACK20 + STACK10")
    await expect(shop.page.locator("body[aria-busy]")).to_have_count(0)
    assert await shop.page.locator("#price dd").all_inner_texts() == ["$135.00", "-$37.80", "$97.20"]
    reservation = await shop.page.locator("#booking-reservation").inner_text()
    await shop.press("Extend the hold")
    await expect(shop.page.locator("body[aria-busy]")).to_have_count(0)
    await shop.press("Confirm for $97.20")
    await shop.expect_title("Your exam is booked")
    after = await shop.ask(reservationCode=reservation)
    assert [each["status"] for each in after] == ["Redeemed", "Redeemed"]
    # Both holds were extended when the second code was added, and again by the button.
    assert await shop.page.locator("#requests code", has_text="/extend").count() == 4
    await shop.press("Cancel the booking")
    await shop.expect_title("The booking is cancelled")


async def test_a_code_that_is_used_up_is_refused_beside_its_field_and_says_when_it_may_be_free_again(
    shop: Storefront,
) -> None:
    shop.expected = [refusal(409), refusal(409)]
    await shop.hold("LASTONE")
    await expect(shop.page.locator("#code-error")).to_have_text("The code is used up.")
    await expect(shop.page.get_by_label("Promo code or voucher")).to_be_focused()
    await shop.hold("ONHOLD")
    await expect(shop.page.locator("#code-error")).to_contain_text("The code is used up. It may become available on ")


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (0, "Nothing is left to pay, so no code is needed, and this one is not used."),
        (0.01, "The code takes nothing off this price, so it is not used."),
    ],
)
async def test_a_code_without_effect_is_not_offered_and_the_price_is_the_servers(
    shop: Storefront, demonstration: Demonstration, price: float, words: str
) -> None:
    shop.expected = [refusal(409)]
    async with managing(shop, demonstration) as management:
        (exam,) = (await management.get("/store-exams?code=CLD-100")).json()["data"]
        sold = {"code": exam["code"], "name": exam["name"], "price": price}
        assert (await management.put(f"/store-exams/{exam['id']}", json=sold, headers=ANY_VERSION)).status_code == 200
    await shop.page.get_by_label("Exam").select_option("CLD-100")
    await shop.fill("WELCOME")
    await shop.press("Check the code")
    await expect(shop.said.locator("li")).to_have_text(words)
    assert await shop.page.locator("#final-price").inner_text() == f"${price:.2f}"
    await shop.press("Hold the code")
    await expect(shop.page.locator("#code-error")).to_have_text(words)


async def test_a_price_that_is_gone_when_the_code_is_held_is_not_shown_any_more(
    shop: Storefront, demonstration: Demonstration
) -> None:
    shop.expected = [refusal(409)]
    async with managing(shop, demonstration) as management:
        terms = {"name": "GOINGFAST", "discountPercent": 50, "isActive": True}
        created = await management.post("/promo-codes", json=terms)
        await shop.fill("GOINGFAST")
        await shop.press("Check the code")
        await expect(shop.page.locator("#final-price")).to_have_text("$67.50")
        await management.post(f"/promo-codes/{created.json()['id']}/deactivate", headers=ANY_VERSION)
    await shop.press("Hold the code")
    await expect(shop.page.locator("#code-error")).to_have_text("The code is not valid now.")
    await expect(shop.page.locator("#final-price")).to_have_text("$135.00")


async def test_a_candidate_uses_a_code_once_where_that_is_its_limit(shop: Storefront) -> None:
    shop.expected = [refusal(409)]
    await shop.hold("ONEEACH")
    await shop.press("Confirm for $101.25")
    await shop.press("Book another exam")
    await shop.press("Hold the code")
    await expect(shop.page.locator("#code-error")).to_have_text("You have used this code as often as it allows.")


@pytest.mark.parametrize(("button", "complaints"), [("Check the code", []), ("Hold the code", [refusal(409)])])
async def test_a_missing_email_address_is_asked_for_at_its_field(
    shop: Storefront, button: str, complaints: list[str]
) -> None:
    shop.expected = complaints
    await shop.fill("MEMBERS")
    await shop.press(button)
    field = shop.page.get_by_label("E-mail")
    message = "This code is restricted to certain e-mail addresses. Please enter yours."
    await expect(field).to_have_accessible_description(message)
    await expect(field).to_have_attribute("aria-invalid", "true")
    await field.fill("ada@example.com")
    await expect(field).not_to_have_attribute("aria-invalid", "true")


async def test_everything_that_is_missing_is_marked_at_once(shop: Storefront) -> None:
    shop.expected = [refusal(400)]
    await shop.fill("", **{"first-name": "", "last-name": "", "email": "nobody"})
    await shop.press("Hold the code")
    await expect(shop.said).to_have_text("Please check the marked fields.")
    assert await shop.page.locator("#form .error").all_inner_texts() == [
        "",
        "This field is required.",
        "This field is required.",
        "This field is required.",
        "Please enter a valid e-mail address.",
        "",
    ]


async def test_a_request_whose_answer_is_lost_is_sent_again_and_books_once(shop: Storefront) -> None:
    shop.expected = ["Failed to load resource: net::ERR_FAILED", refusal(503)]
    sent: list[Request] = []

    async def lose(route: Route) -> None:
        sent.append(route.request)
        if len(sent) == 1:
            await route.fetch()  # the server receives and executes it
            await route.abort()
        elif len(sent) == 2:
            await route.fulfill(status=503, headers={"Retry-After": "1"})
        else:
            await route.continue_()

    await shop.page.route("**/storefront/v1/redemptions", lose)
    await shop.hold("GLOBAL5", **{"last-name": "Lost"})
    await shop.expect_title("The code is on hold for you")
    assert len({request.headers["idempotency-key"] for request in sent}) == 1
    assert len({request.post_data for request in sent}) == 1
    assert len(sent) == 3
    assert len([each for each in await shop.ask(code="GLOBAL5") if each["candidate"]["lastName"] == "Lost"]) == 1


async def test_a_request_without_a_response_may_be_sent_again(shop: Storefront) -> None:
    sent: list[Request] = []

    async def lose(route: Route) -> None:
        sent.append(route.request)
        await route.abort()

    await shop.page.clock.install()
    await shop.page.route("**/storefront/v1/redemptions", lose)
    for presses in (1, 2):
        await shop.hold("GLOBAL5")
        for seconds in (1, 2, 4):
            await expect(shop.said).to_have_text("No response yet. Retrying the request.")
            await shop.page.clock.fast_forward(seconds * 1000)
        await expect(shop.said).to_contain_text("nothing is booked twice")
        assert len(sent) == 4 * presses
    await shop.page.get_by_label("First name").fill("Augusta")
    await shop.page.unroute("**/storefront/v1/redemptions")
    shop.page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    await shop.press("Hold the code")
    await shop.expect_title("The code is on hold for you")
    keys = [request.headers["idempotency-key"] for request in sent]
    assert (len(keys), len(set(keys[:8])), len(set(keys))) == (9, 1, 2)
    shop.expected = ["Failed to load resource: net::ERR_FAILED"] * 8


async def test_a_hold_that_ended_elsewhere_has_the_servers_status(shop: Storefront) -> None:
    shop.expected = [refusal(409)]
    await shop.hold("WELCOME")
    await shop.expect_title("The code is on hold for you")
    async with httpx.AsyncClient(base_url=shop.url, headers={"cv-api-key": shop.api_key}, timeout=90) as client:
        await client.post(f"/storefront/v1/redemptions/{(await shop.booking())['id']}/release")
    await shop.press("Confirm")
    await shop.expect_title("The code is released")


async def test_a_phone_scrolls_only_vertically(shop: Storefront) -> None:
    await shop.page.set_viewport_size(PHONE)

    async def is_narrow() -> bool:
        width: int = await shop.page.evaluate("document.documentElement.scrollWidth")
        return width <= PHONE["width"]

    for summary in await shop.page.locator("summary").all():
        await summary.click()
    assert await is_narrow()
    await shop.fill("SPRING-" + "X" * 60)
    await shop.press("Check the code")
    await expect(shop.said).to_contain_text("cannot be used")
    assert await is_narrow()
    await shop.hold("SPRING-SPARE", **{"last-name": "Y" * 60, "email": "z" * 60 + "@example.com"})
    await shop.expect_title("The code is on hold for you")
    assert await is_narrow()
    await shop.press("Release the code")
    await shop.expect_title("The code is released")


async def test_everything_has_an_accessible_name(shop: Storefront) -> None:
    await expect(shop.page.locator("#form")).to_match_aria_snapshot("""
        - heading "Your booking" [level=2]
        - text: Exam
        - combobox "Exam"
        - text: Promo code or voucher
        - textbox "Promo code or voucher"
        - group: Codes to try
        - text: First name
        - textbox "First name"
        - text: Last name
        - textbox "Last name"
        - text: E-mail required by some codes
        - textbox "E-mail required by some codes"
        - text: Hold the code for
        - combobox "Hold the code for"
        - button "Check the code"
        - button "Hold the code"
    """)
    await expect(shop.page.get_by_role("complementary", name="Price")).to_be_visible()
    await expect(shop.said).to_have_count(1)


async def test_light_and_dark_colours_have_enough_contrast(shop: Storefront) -> None:
    pairs = {
        ("ink", "paper"): TEXT,
        ("ink", "card"): TEXT,
        ("quiet", "paper"): TEXT,
        ("quiet", "card"): TEXT,
        ("strong", "paper"): TEXT,
        ("strong", "card"): TEXT,
        ("on-strong", "strong"): TEXT,
        ("alarm", "card"): TEXT,
        ("edge", "card"): LARGE,
        ("focus", "card"): LARGE,
        ("focus", "paper"): LARGE,
    }
    names = sorted({name for pair in pairs for name in pair})
    script = "names => names.map(name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`))"
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    weak, shades = dict[tuple[str, str, str], float](), set()
    for scheme in schemes:
        await shop.page.emulate_media(color_scheme=scheme)
        values = await shop.page.evaluate(script, names)
        light = {name: luminance(value.strip()) for name, value in zip(names, values, strict=True)}
        ratios = {pair: contrast(light[pair[0]], light[pair[1]]) for pair in pairs}
        weak |= {(scheme, *pair): ratio for pair, ratio in ratios.items() if ratio < pairs[pair]}
        shades.add(tuple(values))
    assert (weak, len(shades)) == ({}, len(schemes))


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance of #rrggbb."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    """WCAG 2.2, contrast ratio of two luminances."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


async def test_under_a_prefix_the_page_asks_what_lies_under_it_too(shop: Storefront, storefront_url: str) -> None:
    prefix = await put_behind_a_proxy(shop.page, storefront_url)
    await shop.open(prefix)
    urls: list[str] = []
    shop.page.on("request", lambda request: urls.append(request.url))
    await shop.fill("WELCOME")
    await shop.press("Check the code")
    await expect(shop.said).to_contain_text("WELCOME is valid.")
    assert urls == [f"{prefix}/storefront/v1/validations"]


async def test_every_code_to_try_is_known(shop: Storefront) -> None:
    for sample in await shop.page.locator(".samples button").all():
        await shop.page.get_by_text("Codes to try").click()
        code = await sample.locator("code").inner_text()
        await sample.click()
        await expect(shop.page.get_by_label("Promo code or voucher")).to_have_value(code)
        await shop.press("Check the code")
        await expect(shop.said).to_contain_text(code)
        await expect(shop.said).not_to_contain_text("does not exist")


async def test_only_the_files_of_the_page_itself_may_run_in_it(storefront_url: str) -> None:
    async with httpx.AsyncClient(base_url=f"{storefront_url}/demo", timeout=90) as client:
        answers = [await client.get(f"/storefront{file}") for file in ("", "/page.js", "/page.css", "/settings.json")]
    assert {answer.headers["Content-Security-Policy"] for answer in answers} == {
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    }
    assert [answer.headers["Content-Type"].partition(";")[0] for answer in answers] == [
        "text/html",
        "text/javascript",
        "text/css",
        "application/json",
    ]
    assert not {"style=", "<style", "onclick"} & {*answers[0].text.split()}


async def test_a_page_that_took_this_address_by_another_name_reads_no_key(storefront_url: str) -> None:
    async with httpx.AsyncClient(base_url=storefront_url, timeout=90) as client:
        answer = await client.get("/demo/storefront/settings.json", headers={"Host": "shop.example.com"})
    assert (answer.status_code, "apiKey" in answer.text) == (404, False)
