"""Pages in a real browser, without access to other hosts."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, Page, Route, expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--js-flags=--no-opt --no-maglev",  # these short visits would not use the code that it optimizes
]

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ, reason="these tests need Chromium, which is not installed"
)
# By default an expectation fails after five seconds, which a busy machine may need for one page.
expect.set_options(timeout=60_000)


@dataclass
class Visit:
    """A page in a browser, its requests to other hosts, and the errors and warnings in the console of the browser."""

    page: Page
    foreign_urls: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)


AnyVisit = TypeVar("AnyVisit", bound=Visit)


@asynccontextmanager
async def visiting(kind: type[AnyVisit], browser: BrowserContext, url: str) -> AsyncIterator[AnyVisit]:
    """A visit to the server at `url`, which fails at its end if the browser has logged anything unexpected.

    The browser forgets what the pages have stored. A context for each visit would take twice as long.
    """
    visit = kind(await browser.new_page())
    await _watch(visit, url)
    yield visit
    await visit.page.evaluate("localStorage.clear()")
    await visit.page.close()
    await browser.clear_cookies()
    assert (visit.foreign_urls, visit.warnings) == ([], visit.expected)


async def _watch(visit: Visit, url: str) -> None:
    async def block_other_hosts(route: Route) -> None:
        request_url = route.request.url
        if urlsplit(request_url).netloc == urlsplit(url).netloc:
            await route.continue_(url=request_url.replace(f"{url}/behind-a-proxy/", f"{url}/"))
        else:
            visit.foreign_urls.append(request_url)
            await route.abort()

    def note_warning(message: ConsoleMessage) -> None:
        # The console also shows violations of the Content-Security-Policy, as errors.
        if message.type in ("error", "warning"):
            visit.warnings.append(message.text)

    await visit.page.route("**/*", block_other_hosts)
    visit.page.on("console", note_warning)
    visit.page.on("pageerror", lambda error: visit.warnings.append(str(error)))
