"""A storefront to try and to copy, served beside the API that it uses."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, Response

from tessera.api.docs import HEADERS
from tessera.api.http.errors import UnknownPath
from tessera.api.http.json import JsonResponse
from tessera.demo import data
from tessera.demo.load import Credentials

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
PATH = "/demo/storefront"
FILES = Path(__file__).parent / "static"


def install(app: FastAPI, organization: Credentials) -> None:
    """Serve the page, which shows everybody who opens it the organization's real API key.

    So this is for servers with demonstration data that answer on their own machine alone. Without it, there is no page:
    its addresses are unknown like any other.
    """
    headers = HEADERS | {"Cache-Control": "no-cache"}
    settings = _settings(organization)

    @app.get(f"{PATH}/settings.json", include_in_schema=False)
    async def tell(request: Request) -> Response:
        # A page of somebody else's that was made to have this address, by its own name, must not read the key.
        if request.url.hostname not in LOOPBACK_NAMES:
            raise UnknownPath
        return JsonResponse(settings, headers=HEADERS | {"Cache-Control": "no-store"})

    # Addresses in the page are relative to its own, so that it also works where a proxy serves it under a prefix.
    for path, name in ((PATH, "index.html"), (f"{PATH}/page.css", "page.css"), (f"{PATH}/page.js", "page.js")):
        app.get(path, include_in_schema=False)(_file(FILES / name, headers))


def _file(path: Path, headers: dict[str, str]) -> Any:  # noqa: ANN401 - an endpoint, as FastAPI takes it
    async def serve() -> Response:
        return FileResponse(path, headers=headers)

    return serve


def _settings(organization: Credentials) -> dict[str, Any]:
    """What the page has to know, in its script's own names."""
    return {
        "organization": organization.name,
        "apiKey": organization.apiKey,
        "exams": [{"code": code, "name": name, "price": float(price)} for code, name, price in data.EXAMS],
        "samples": [{"code": code, "says": says} for code, says in data.SAMPLES],
    }
