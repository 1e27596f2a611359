"""The guide as a reader opens it: in a real browser, under a strict policy, with nothing from other hosts."""

import html
import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import BrowserContext, expect
from tests.support.browsing import Visit, needs_chromium, put_behind_a_proxy, visiting

from tessera.api.docs.guide import install_guide

PAGES = sorted(page.stem for page in (Path(__file__).parents[3] / "docs").glob("*.md"))
# The columns that a reader of a narrow page cannot see without scrolling, of the tables whose rows begin with a name.
HIDDEN_COLUMNS = """
() => [...document.querySelectorAll("article table")]
  .filter((table) => table.querySelector("tbody tr:first-child td:first-child > code"))
  .filter((table) => table.getBoundingClientRect().right > window.innerWidth)
  .map((table) => table.innerText.slice(0, 80))
"""


@needs_chromium
async def test_a_reader_follows_links_and_finds_words(browser: BrowserContext, live_url: str) -> None:
    async with visiting(Visit, browser, live_url) as visit:
        await visit.page.goto(f"{await put_behind_a_proxy(visit.page, live_url)}/guide")
        await visit.page.get_by_role("article").get_by_role("link", name="Error codes").click()
        await expect(visit.page.get_by_role("heading", name="Reasons")).to_be_visible()
        await visit.page.get_by_role("button", name="Search").click()
        await visit.page.keyboard.type("Tessera-Client")
        await expect(visit.page.get_by_text("Limits that protect others")).to_be_visible()


@needs_chromium
async def test_a_table_of_names_fits_on_a_phone(browser: BrowserContext, live_url: str) -> None:
    async with visiting(Visit, browser, live_url) as visit:
        await visit.page.set_viewport_size({"width": 390, "height": 800})
        url = await put_behind_a_proxy(visit.page, live_url)
        hidden = {}
        for name in PAGES:
            await visit.page.goto(f"{url}/guide/{name}.html")
            hidden[name] = await visit.page.evaluate(HIDDEN_COLUMNS)
    assert {name: tables for name, tables in hidden.items() if tables} == {}


@pytest.mark.parametrize("name", PAGES)
async def test_no_mark_of_markdown_is_left_on_a_page(client: httpx.AsyncClient, name: str) -> None:
    _, _, article = (await client.get(f"/guide/{name}.html")).text.partition("<article")
    text = re.sub("<(pre|code|style|script).*?</\\1>", "", article.partition("</article")[0], flags=re.DOTALL)
    assert re.findall(r"^ *(?:\d+\.|[-*|]) .*|.*(?:\*\*|`|\]\().*", text, re.MULTILINE) == []


async def test_each_page_runs_only_the_scripts_that_the_build_put_into_it(client: httpx.AsyncClient) -> None:
    page, sheet = await client.get("/guide/errors.html"), await client.get("/guide/files/storefront_server.py")
    scripts, _, others = page.headers["Content-Security-Policy"].partition("style-src")
    assert scripts.count("'sha256-") == page.text.count("<script>") > 0
    assert "unsafe" not in scripts + others
    assert sheet.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("storefront", "storefront_server.py"),
        ("self-hosting", "tessera-api.service"),
        ("in-front-of-tessera", "nginx-tessera.conf"),
        ("in-front-of-tessera", "haproxy-tessera.cfg"),
    ],
)
async def test_a_page_shows_the_whole_file_that_it_includes(client: httpx.AsyncClient, page: str, name: str) -> None:
    shown = html.unescape(re.sub("<[^>]*>", "", (await client.get(f"/guide/{page}.html")).text))
    assert (await client.get(f"/guide/files/{name}")).text.strip() in shown


@pytest.mark.parametrize("path", ["nothing.html", "../static/docs.css", "%2e%2e/pyproject.toml", "/etc/passwd"])
async def test_only_files_of_the_guide_are_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/guide/{path}")).status_code == 404


async def test_a_checkout_without_a_build_says_how_to_build(tmp_path: Path) -> None:
    install_guide(app := FastAPI(), tmp_path)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        answer = await client.get("/guide/")
    assert (answer.status_code, "make docs" in answer.text) == (404, True)
