"""A sample storefront, served by the API server that it calls."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from tessera.api.docs.pages import HEADERS, STOREFRONT, file_endpoint
from tessera.api.http.errors import UnknownPath
from tessera.api.http.json import JsonResponse
from tessera.demo.credentials import Credentials
from tessera.demo.organizations import EXAMS
from tessera.demo.promo_codes import SAMPLES

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
PATH = STOREFRONT
FILES = Path(__file__).parent / "static"


def install(app: FastAPI, organization: Credentials) -> None:
    """Add the routes of the page, which reveals the API key of the organization to every visitor.

    Install it only on a server with demonstration data that no other machine can reach.
    """
    headers = HEADERS | {"Cache-Control": "no-cache"}
    settings = _settings(organization)

    @app.get(f"{PATH}/settings.json", include_in_schema=False)
    async def get_settings(request: Request) -> Response:
        # Prevents DNS rebinding: another site, whose host name resolves to this server, must not read the key.
        if request.url.hostname not in LOOPBACK_NAMES:
            raise UnknownPath
        return JsonResponse(settings, headers=HEADERS)

    # Links in the page are relative, so that it also works behind a proxy that adds a path prefix.
    for path, name in ((PATH, "index.html"), (f"{PATH}/page.css", "page.css"), (f"{PATH}/page.js", "page.js")):
        app.get(path, include_in_schema=False)(file_endpoint(FILES / name, headers))


def _settings(organization: Credentials) -> dict[str, Any]:
    """The content of settings.json, which the script of the page reads."""
    return {
        "organization": organization.name,
        "apiKey": organization.api_key,
        "exams": [{"code": code, "name": name, "price": float(price)} for code, name, price in EXAMS],
        "samples": [{"code": code, "description": description} for code, description in SAMPLES],
    }
