"""The OpenAPI document and the docs page, which loads nothing from other hosts."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel

from tessera.api.http.json import JsonResponse
from tessera.api.http.openapi import components_of, unmark_nulls
from tessera.api.serving.links import base_url

DESCRIPTION = """\
Promo codes and vouchers for many organizations on one installation: the reference implementation of the Certiverse
Promo Code API, the Certiverse Voucher Partner API and the CareValidate promo-code validation.

**To try it here**, press *Authorize* and fill in one of these:

* `clientCredentials`: ClientId and secret of an API client; the page fetches a token by itself;
* `bearerToken`: a token from `GET /authenticate`, or one that an administrator issued;
* `apiKey`: the `cv-api-key` of a storefront.

Each operation lists the credentials that it accepts. Every response has an `X-Request-ID`, which is also in the log.
"""

TAGS = [
    {"name": "Authentication", "description": "Exchanging a ClientId and its secret for a Bearer token."},
    {"name": "Certiverse Promo Code API", "description": "Creating and listing your organization's promo codes."},
    {
        "name": "Certiverse Voucher Partner API",
        "description": "Voucher partners, programs and purchases, and the vouchers themselves.",
    },
    {"name": "CareValidate", "description": "Validating a promo code at the moment of sale."},
    {"name": "Storefront", "description": "Validating, holding and redeeming codes, with prices and reasons."},
    {"name": "Management: catalog", "description": "What your organization sells: store exams and product bundles."},
    {
        "name": "Management: promo codes",
        "description": "Promo codes of every kind: single, in batches, and from CSV files.",
    },
    {"name": "Management: exports", "description": "CSV files of promo codes, vouchers and redemptions."},
    {
        "name": "Management: vouchers",
        "description": "Partners and their users, programs, purchases, and vouchers.",
    },
    {"name": "Management: access", "description": "Users, API clients, API keys and long-lived tokens."},
    {
        "name": "Management: audit",
        "description": "The audit log: every change with its actor, time, and values before and after.",
    },
    {"name": "Management: organizations", "description": "The tenants, for administrators of the platform."},
    {
        "name": "Management: reports",
        "description": "Redemptions, discounts and vouchers, summed up, as JSON and CSV.",
    },
    {"name": "Health", "description": "For load balancers and monitors."},
]

SECURITY_SCHEMES: dict[str, Any] = {
    "clientIdAndSecret": {"type": "http", "scheme": "basic", "description": "ClientId and ClientSecret."},
    "clientCredentials": {
        "type": "oauth2",
        "description": "ClientId and ClientSecret, exchanged at POST /oauth/token.",
        "flows": {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {}}},
    },
    "bearerToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token from GET /authenticate or POST /oauth/token, or one that an administrator issued.",
    },
    "apiKey": {"type": "apiKey", "in": "header", "name": "cv-api-key", "description": "A storefront's secret key."},
}

# URLs are relative to /docs, so that the page also works under a prefix of a proxy.
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tessera API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

HOME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tessera</title>
<link rel="icon" href="data:,">
</head>
<body>
<h1>Tessera</h1>
<p>A server for promo codes and vouchers, version {version}.</p>
<ul>
<li><a href="docs">API documentation</a>, where each operation can be tried</li>
<li><a href="openapi.json">OpenAPI document</a></li>
{links}</ul>
</body>
</html>
"""
STOREFRONT = "/demo/storefront"
STOREFRONT_LINK = '<li><a href="demo/storefront">Demonstration storefront</a></li>\n'

# The page may call only its own origin, which may differ from the public URL. Examples of optional parameters move into
# the descriptions: the page would fill them in as values, and all these filters together would match nothing.
START = """const here = new URL(".", window.location.href).href.replace(/[/]$/, "");

function adapt(response) {
  if (response.url === `${here}/openapi.json`) {
    const spec = JSON.parse(response.text);
    spec.servers = [{ url: here }];
    spec.components.securitySchemes.clientCredentials.flows.clientCredentials.tokenUrl = `${here}/oauth/token`;
    Object.values(spec.paths).flatMap(Object.values).forEach(describeExamples);
    response.text = JSON.stringify(spec);
  }
  return response;
}

function omitCredentials(request) {
  // With credentials the browser would show its own password dialog after a 401.
  request.credentials = "omit";
  return request;
}

function describeExamples(operation) {
  for (const parameter of operation.parameters ?? []) {
    if (!parameter.required && parameter.example !== undefined) {
      parameter.description += " Example: `" + parameter.example + "`";
      delete parameter.example;
    }
  }
}

SwaggerUIBundle({
  url: `${here}/openapi.json`,
  dom_id: "#page",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor: omitCredentials,
  responseInterceptor: adapt
});
"""

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


def install(app: FastAPI, *, models: Sequence[type[BaseModel]]) -> None:
    """Serve `/`, `/docs`, and `/openapi.json` with the security schemes and these models."""
    app.openapi = lambda: _document(app, models)  # type: ignore[method-assign]
    assets = _assets()

    @app.get("/openapi.json", include_in_schema=False)
    async def document(request: Request) -> Response:
        return JsonResponse(_with_base_url(app.openapi(), base_url(request)))

    @app.get("/", include_in_schema=False)
    async def home() -> Response:
        has_storefront = any(route.path == STOREFRONT for route in iter_route_contexts(app.routes))
        text = HOME.format(version=app.version, links=STOREFRONT_LINK if has_storefront else "")
        return HTMLResponse(text, headers=HEADERS)

    @app.get("/docs/", include_in_schema=False)
    async def page_with_slash() -> Response:
        return RedirectResponse("../docs")  # relative, for a prefix of a proxy

    @app.get("/docs", include_in_schema=False)
    async def page() -> Response:
        return HTMLResponse(PAGE, headers=HEADERS)

    @app.get("/docs/start.js", include_in_schema=False)
    async def start() -> Response:
        return Response(START, media_type="text/javascript", headers=HEADERS)

    headers = HEADERS | {"Cache-Control": "public, max-age=3600"}
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        app.get(f"/docs/{name}", include_in_schema=False)(file_endpoint(assets / name, headers))


def _with_base_url(document: dict[str, Any], base: str) -> dict[str, Any]:
    # Clients read the URLs of the server and of the token endpoint from the document.
    flows = {"clientCredentials": {"tokenUrl": f"{base}/oauth/token", "scopes": {}}}
    schemes = {**SECURITY_SCHEMES, "clientCredentials": {**SECURITY_SCHEMES["clientCredentials"], "flows": flows}}
    components = {**document["components"], "securitySchemes": schemes}
    return {**document, "servers": [{"url": base}], "components": components}


def file_endpoint(path: Path, headers: Mapping[str, str]) -> Any:  # noqa: ANN401 - an endpoint for FastAPI
    """An endpoint that returns a file with these headers."""

    async def serve() -> Response:
        return FileResponse(path, headers=headers)

    return serve


def _assets() -> Path:
    # Only the files of this package are used; importing it would replace FastAPI's own docs page.
    spec = find_spec("fastapi_offline")
    assert spec is not None, "a dependency of this package"  # noqa: S101 - fails only in a broken installation
    assert spec.origin is not None  # noqa: S101
    return Path(spec.origin).parent / "static"


def _document(app: FastAPI, models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    if app.openapi_schema:
        return app.openapi_schema
    generated = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        tags=TAGS,
        routes=app.routes,
    )
    document: dict[str, Any] = unmark_nulls(generated)
    components = document["components"]
    components["securitySchemes"] = SECURITY_SCHEMES
    for model in models:
        components["schemas"] |= components_of(model)
    components["schemas"] = dict(sorted(components["schemas"].items()))
    app.openapi_schema = document
    return document
