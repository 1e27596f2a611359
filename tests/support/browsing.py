"""Pages in a real browser, without access to other hosts."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request, Route, expect

# The headless shell takes the least time, because it has no interface of a browser to start.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
ARGUMENTS = [
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
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
# By default expectations fail after five seconds and actions after 30, which a busy machine may need for one page.
MILLISECONDS = 60_000
expect.set_options(timeout=MILLISECONDS)


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
    visit.page.set_default_timeout(MILLISECONDS)
    _watch(visit, url)
    yield visit
    await visit.page.evaluate("localStorage.clear()")
    await visit.page.close()
    await browser.clear_cookies()
    assert (visit.foreign_urls, visit.warnings) == ([], visit.expected)


def _watch(visit: Visit, url: str) -> None:
    def note_other_hosts(request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(url).netloc:
            visit.foreign_urls.append(request.url)

    def note_warning(message: ConsoleMessage) -> None:
        # The console also shows violations of the Content-Security-Policy, as errors.
        if message.type in ("error", "warning"):
            visit.warnings.append(message.text)

    visit.page.on("request", note_other_hosts)
    visit.page.on("console", note_warning)
    visit.page.on("pageerror", lambda error: visit.warnings.append(str(error)))


async def put_behind_a_proxy(page: Page, url: str) -> str:
    """A prefix of the server at `url`, which the browser removes. Pages without such a route cache files."""
    prefix = f"{url}/behind-a-proxy"

    async def remove(route: Route) -> None:
        await route.continue_(url=route.request.url.replace(prefix, url))

    await page.route(f"{prefix}/**", remove)
    return prefix
