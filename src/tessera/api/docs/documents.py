"""The OpenAPI document of all operations, and one document for each API."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from tessera.api.http.enumerations import with_components
from tessera.api.http.openapi import components_of, unmark_nulls

Document = dict[str, Any]

ABOUT = """\
Promo codes and vouchers for many organizations on one installation: the reference implementation of the Certiverse
Promo Code API, the Certiverse Voucher Partner API and the CareValidate promo-code validation."""
CONVENTIONS = """
**To try it here**, press *Authorize* and fill in one of the credentials. The page remembers them until you close its
tab. Each operation lists the credentials that it accepts.

**Amounts** are JSON numbers in dollars, with at most two decimals: `49.5`. **Times** are UTC. Every response has an
`X-Request-ID`, which is also in the log."""
VERSIONS = """
**Changes.** A resource has a version, which each response shows in the header `ETag`. A request that changes the
resource repeats it in `If-Match`, as the bare number or as it was received: `1` or `"1"`. If somebody else has changed
the resource in the meantime, the response is 412, and nothing is overwritten. `*` accepts any version."""
AUTHENTICATION_TAG = "Authentication"
# The tags group the operations in the OpenAPI document, in the order of the docs page.
TAGS = {
    AUTHENTICATION_TAG: "Exchanging a ClientId and its secret for a Bearer token.",
    "Certiverse Promo Code API": "Creating and listing your organization's promo codes.",
    "Certiverse Voucher Partner API": "Voucher partners, programs and purchases, and the vouchers themselves.",
    "CareValidate": "Validating a promo code at the moment of sale.",
    "Storefront": "Validating, holding and redeeming codes, with prices and reasons.",
    "Management: catalog": "The products of your organization: store exams and product bundles.",
    "Management: promo codes": "Promo codes of every kind, one at a time.",
    "Management: promo-code batches": "Many promo codes at once: from a pattern, and from a CSV file.",
    "Management: voucher partners": "The companies that buy vouchers, and their users.",
    "Management: voucher programs": "The offers to partners: exams, prices, discounts and rules.",
    "Management: voucher purchases": "Orders of partners, their checkout, and the creation of vouchers.",
    "Management: vouchers": "Single vouchers, and bulk actions on many of them.",
    "Management: metadata": "Texts that an integration attaches to records, and the records with such a text.",
    "Management: users": "The people of your organization, their rights, and their long-lived tokens.",
    "Management: clients and keys": "API clients with their secrets, and the API keys of storefronts.",
    "Management: exports": "CSV files of promo codes, vouchers and redemptions.",
    "Management: reports": "Redemptions, discounts and vouchers, summed up, as JSON and CSV.",
    "Management: persons": "The export of all records about one person, and their erasure.",
    "Management: audit": "The audit log: every change with its actor, time, and values before and after.",
    "Management: organizations": "The tenants, for administrators of the platform.",
    "Health": "For load balancers and monitors.",
}
_GROUPS = {"Management": "Management", "Storefront": "Storefront", "Health": "Operation"}
SECURITY_SCHEMES: dict[str, Any] = {
    "clientIdAndSecret": {
        "type": "http",
        "scheme": "basic",
        "description": "ClientId and ClientSecret of an API client, for GET /authenticate.",
    },
    "clientCredentials": {
        "type": "oauth2",
        "description": "ClientId and ClientSecret of an API client, exchanged for a token at POST /oauth/token.",
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
_SCHEMA = "#/components/schemas/"
_BUILDING = Lock()


@dataclass(frozen=True, slots=True)
class Part:
    """One API with a document of its own, `/openapi/{name}.json`; `tag` is the beginning of its tags."""

    name: str
    title: str
    tag: str
    about: str

    @property
    def description(self) -> str:
        """The description of the document, in Markdown."""
        return "\n".join([self.about, CONVENTIONS, *([VERSIONS] if self.tag == "Management" else [])])


PARTS = (
    Part(
        "certiverse-promo",
        "Certiverse Promo Code API",
        "Certiverse Promo Code API",
        "Creating and listing the promo codes of an organization.",
    ),
    Part(
        "certiverse-vouchers",
        "Certiverse Voucher Partner API",
        "Certiverse Voucher Partner API",
        "Voucher partners, programs and purchases, and the vouchers themselves.",
    ),
    Part("carevalidate", "CareValidate", "CareValidate", "Validating a promo code at the moment of sale."),
    Part(
        "storefront",
        "Storefront API",
        "Storefront",
        "Validating, holding and redeeming promo codes and vouchers, with prices and reasons.",
    ),
    Part(
        "management",
        "Management API",
        "Management",
        "Everything that operators do: catalog, codes, vouchers, access, batches, CSV files, audit log and reports.",
    ),
)


def install(app: FastAPI, *, models: Sequence[type[BaseModel]]) -> None:
    """Make `app.openapi()` return the whole document, with the schemas of these models; it is built once."""

    def document() -> Document:
        with _BUILDING:
            app.openapi_schema = app.openapi_schema or _whole(app, models)
            return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def part_of(whole: Document, part: Part) -> Document:
    """The document of one API: its operations, and the tags, security schemes and schemas that they use.

    An API that accepts Bearer tokens includes the operations that issue them.
    """
    paths = _paths(whole, part.tag)
    if "bearerToken" in _schemes(paths):
        paths = _paths(whole, AUTHENTICATION_TAG) | paths
    tags = {tag for item in paths.values() for operation in item.values() for tag in operation["tags"]}
    schemas, schemes = set(_schemas(whole, paths)), _schemes(paths)
    components = whole["components"]
    return {
        **whole,
        "info": {**whole["info"], "title": f"Tessera: {part.title}", "description": part.description},
        "tags": [tag for tag in whole["tags"] if tag["name"] in tags],
        "x-tagGroups": _tag_groups(tags),
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components["schemas"].items() if name in schemas},
            "securitySchemes": {
                name: scheme for name, scheme in components["securitySchemes"].items() if name in schemes
            },
        },
    }


def with_base_url(document: Document, base: str) -> Document:
    """The document with the absolute URLs of the server and of the token endpoint, which clients read from it."""
    schemes = dict(document["components"]["securitySchemes"])
    if "clientCredentials" in schemes:
        flows = {"clientCredentials": {"tokenUrl": f"{base}/oauth/token", "scopes": {}}}
        schemes["clientCredentials"] = schemes["clientCredentials"] | {"flows": flows}
    components = {**document["components"], "securitySchemes": schemes}
    return {**document, "servers": [{"url": base}], "components": components}


def _whole(app: FastAPI, models: Sequence[type[BaseModel]]) -> Document:
    generated = get_openapi(
        title=app.title,
        version=app.version,
        description="\n".join([ABOUT, CONVENTIONS, VERSIONS]),
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/"}],
        tags=[{"name": name, "description": description} for name, description in TAGS.items()],
        routes=app.routes,
    )
    document: Document = unmark_nulls(generated)
    components = document["components"]
    components["securitySchemes"] = SECURITY_SCHEMES
    for model in models:
        components["schemas"] |= components_of(model)
    document["x-tagGroups"] = _tag_groups(set(TAGS))
    document = with_components(document)
    document["components"]["schemas"] = dict(sorted(document["components"]["schemas"].items()))
    return document


def _tag_groups(tags: set[str]) -> list[dict[str, Any]]:
    # Redoc and other viewers show these groups; Swagger UI ignores them.
    groups: dict[str, list[str]] = {}
    for tag in TAGS:
        if tag in tags:
            groups.setdefault(_group_of(tag), []).append(tag)
    return [{"name": name, "tags": members} for name, members in groups.items()]


def _paths(document: Document, tag: str) -> dict[str, Any]:
    return {
        path: operations
        for path, item in document["paths"].items()
        if (operations := {method: each for method, each in item.items() if each["tags"][0].startswith(tag)})
    }


def _schemes(paths: dict[str, Any]) -> set[str]:
    operations = [operation for item in paths.values() for operation in item.values()]
    return {name for operation in operations for option in operation.get("security", []) for name in option}


def _schemas(document: Document, value: object) -> Iterator[str]:
    """The names of the schemas that a part of the document refers to, directly or through other schemas."""
    seen: set[str] = set()
    pending = [value]
    while pending:
        for name in set(_references(pending.pop())) - seen:
            seen.add(name)
            pending.append(document["components"]["schemas"][name])
            yield name


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].removeprefix(_SCHEMA)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _references(item)


def _group_of(tag: str) -> str:
    """The group of a tag: one of our own APIs, or the APIs of the source documents."""
    return _GROUPS.get(tag.partition(":")[0], "Source documents")
