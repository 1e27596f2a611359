"""Pages in a real browser, without access to other hosts."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import pytest
from playwright.async_api import ConsoleMessage, Page, Route

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed, in which pages are tried out")


@dataclass
class Visit:
    """A page in a browser, with all requests to other hosts and all errors and warnings of the browser."""

    page: Page
    elsewhere: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)


AnyVisit = TypeVar("AnyVisit", bound=Visit)


@asynccontextmanager
async def visiting(kind: type[AnyVisit], page: Page, url: str) -> AsyncIterator[AnyVisit]:
    """A visit to the server at `url`, which fails at its end if the browser has logged anything unexpected."""
    visit = kind(page)
    await _watch(visit, url)
    yield visit
    await page.close()
    assert (visit.elsewhere, visit.complaints) == ([], visit.expected)


async def _watch(visit: Visit, url: str) -> None:
    async def only_here(route: Route) -> None:
        request_url = route.request.url
        if urlsplit(request_url).netloc == urlsplit(url).netloc:
            await route.continue_(url=request_url.replace(f"{url}/behind-a-proxy/", f"{url}/"))
        else:
            visit.elsewhere.append(request_url)
            await route.abort()

    def hear(message: ConsoleMessage) -> None:
        # Violations of the Content-Security-Policy are errors on the console as well.
        if message.type in ("error", "warning"):
            visit.complaints.append(message.text)

    await visit.page.route("**/*", only_here)
    visit.page.on("console", hear)
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
