"""The home page, the docs page and the OpenAPI documents. Pages load nothing from other hosts."""

import html
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from fastapi.routing import iter_route_contexts

from tessera.api.docs.contents import BuiltContents, Content, content_of, respond
from tessera.api.docs.documents import PARTS, part_of, with_base_url
from tessera.api.http.json import JsonResponse
from tessera.api.serving.links import base_url

STOREFRONT = "/demo/storefront"
FILES = Path(__file__).parent / "static"
# The page runs no inline scripts and loads nothing from other hosts; its icons are data: images.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".json": "application/json"}
WHOLE = "/openapi.json"
_MAX_DOCUMENTS = 16  # kept in memory, one for each API and base URL

Endpoint = Callable[[Request], Awaitable[Response]]


def install_home(app: FastAPI, *, with_docs: bool) -> None:
    """Serve the home page with links to the pages of this server, relative because a proxy may add a prefix."""

    @app.get("/", include_in_schema=False)
    async def home(request: Request) -> Response:
        has_storefront = any(route.path == STOREFRONT for route in iter_route_contexts(app.routes))
        return respond(request, _home(app.version, with_docs, has_storefront), "text/html", HEADERS)

    app.get("/home.css", include_in_schema=False)(_endpoint(FILES / "home.css"))


def install_docs(app: FastAPI) -> None:
    """Serve the docs page, and the OpenAPI documents of all operations and of each API."""
    _install_documents(app)
    page = content_of((FILES / "docs.html").read_text().replace("{apis}", _choices()).encode())

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return respond(request, page, "text/html", HEADERS)

    @app.get("/docs/", include_in_schema=False)
    async def docs_with_slash() -> Response:
        return RedirectResponse("../docs")

    for path in (FILES / "docs.css", FILES / "docs.js"):
        app.get(f"/docs/{path.name}", include_in_schema=False)(_endpoint(path))
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        # The URL is the same in every release, so the browser must ask again after an hour.
        app.get(f"/docs/{name}", include_in_schema=False)(_endpoint(_swagger_ui() / name, max_age=3600))


def file_endpoint(path: Path, headers: Mapping[str, str]) -> Any:  # noqa: ANN401 - an endpoint for FastAPI
    """An endpoint that returns a file with these headers."""

    async def serve() -> Response:
        return FileResponse(path, headers=headers)

    return serve


def _install_documents(app: FastAPI) -> None:
    def document(key: tuple[str, str]) -> Content:
        path, base = key
        whole = app.openapi()
        chosen = part_of(whole, parts[path]) if path in parts else whole
        return content_of(bytes(JsonResponse(with_base_url(chosen, base)).body))

    async def serve(request: Request) -> Response:
        content = await documents.get((request.scope["path"], base_url(request)))
        return respond(request, content, "application/json", {})

    documents = BuiltContents(document, size=_MAX_DOCUMENTS)
    parts = {f"/openapi/{part.name}.json": part for part in PARTS}
    for path in (WHOLE, *parts):
        app.get(path, include_in_schema=False)(serve)


def _endpoint(path: Path, *, max_age: int = 0) -> Endpoint:
    contents: BuiltContents[Path, Content] = BuiltContents(lambda file: content_of(file.read_bytes()))
    cache = {"Cache-Control": f"public, max-age={max_age}"} if max_age else {}

    async def serve(request: Request) -> Response:
        return respond(request, await contents.get(path), MEDIA_TYPES[path.suffix], HEADERS | cache)

    return serve


@lru_cache(4)
def _home(version: str, with_docs: bool, has_storefront: bool) -> Content:  # noqa: FBT001 - the key of a cache
    page = (FILES / "home.html").read_text()
    sections = {"docs": with_docs, "storefront": has_storefront}
    for name, is_shown in sections.items():
        if not is_shown:
            page = re.sub(f"<!-- {name} -->.*?<!-- end of {name} -->\n", "", page, flags=re.DOTALL)
    documents = "\n".join(
        f'<li><a href="openapi/{part.name}.json">{html.escape(part.title)}</a></li>' for part in PARTS
    )
    return content_of(page.replace("{version}", version).replace("{documents}", documents).encode())


def _choices() -> str:
    return "\n".join(f'<a href="docs?api={part.name}">{html.escape(part.title)}</a>' for part in PARTS)


def _swagger_ui() -> Path:
    # Only the files of this package are used; importing it would replace FastAPI's own docs page.
    spec = find_spec("fastapi_offline")
    assert spec is not None, "a dependency of this package"  # noqa: S101 - fails only in a broken installation
    assert spec.origin is not None  # noqa: S101
    return Path(spec.origin).parent / "static"
