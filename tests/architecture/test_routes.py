"""Every route requires a credential, with every method, unless it is listed as public here."""

import inspect
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from tests.support.factories import Tenant

from tessera.api.application import create_app
from tessera.api.serving.resources import Resources
from tessera.demo.credentials import Credentials
from tessera.demo.storefront import page

# Public resources: the home page, the health checks, the documentation, and the demonstration storefront.
PUBLIC = ("/", "/home.css", "/health/live", "/health/ready", "/docs", "/guide", "/openapi.json", "/demo/storefront")
AUTHENTICATION = {
    "/authenticate": "Basic",
    "/api/authenticate": "Basic",
    "/oauth/token": "Basic",
}
# The APIs without a source document respond with 403 to a caller without the right.
OWN_APIS = ("/storefront/", "/management/")
BODIES: dict[str, dict[str, Any]] = {"/oauth/token": {"data": {"grant_type": "client_credentials"}}}


@pytest.fixture
def app(resources: Resources) -> FastAPI:
    """The application with all routes, including those of the demonstration storefront."""
    application = create_app(resources)
    credentials = dict.fromkeys(Credentials.__dataclass_fields__, "")
    page.install(application, Credentials(**credentials))  # type: ignore[arg-type]  # one field is a list
    return application


def guarded(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path, with its parameters filled in, of every route that is not public."""
    return [
        (method, (route.path or "").replace("{", "").replace("}", ""))
        for route in iter_route_contexts(app.routes)
        for method in sorted(route.methods or ())
        if not is_public(route.path or "")
    ]


def is_public(path: str) -> bool:
    return path in PUBLIC or path.startswith(("/docs/", "/guide/", "/openapi/", "/demo/storefront/"))


def test_every_route_has_methods(app: FastAPI) -> None:
    # The tests below would not check a mounted application or a web socket.
    assert [route for route in iter_route_contexts(app.routes) if not route.methods] == []


def test_no_endpoint_runs_in_a_thread(app: FastAPI) -> None:
    """Forty busy threads would delay the event loop, and with it all other requests, by seconds."""
    endpoints = {route.path: route.endpoint for route in iter_route_contexts(app.routes)}
    assert [path for path, endpoint in endpoints.items() if not inspect.iscoroutinefunction(endpoint)] == []


def test_there_are_guarded_routes(app: FastAPI) -> None:
    assert {
        ("GET", "/promo-codes"),
        ("POST", "/promo-codes"),
        ("GET", "/api/v1/promo-codes"),
        ("GET", "/authenticate"),
        ("POST", "/oauth/token"),
    } <= set(guarded(app))


async def test_without_a_credential_every_route_is_401(app: FastAPI, client: httpx.AsyncClient) -> None:
    answers = {}
    for method, path in guarded(app):
        answer = await client.request(method, path, **BODIES.get(path, {}))
        answers[method, path] = answer.status_code
    assert answers == dict.fromkeys(answers, 401)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer x"},
        {"Authorization": "Bearer a.b.c"},
        {"Authorization": "Basic Og=="},
        {"Authorization": "Basic !"},
        {"cv-api-key": ""},
        {"cv-api-key": "tsk_" + "A" * 43 + "_x"},
    ],
)
async def test_with_a_bad_credential_every_route_is_401(
    app: FastAPI, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answers = {}
    for method, path in guarded(app):
        answer = await client.request(method, path, headers=headers, **BODIES.get(path, {}))
        answers[method, path] = answer.status_code
    assert answers == dict.fromkeys(answers, 401)


async def test_a_client_without_function_points_gets_401_from_every_route_with_bearer_tokens(
    app: FastAPI, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    credentials = (tenant.powerless_client.name, tenant.powerless_client.secret)
    token = (await client.get("/authenticate", auth=credentials)).json()["authToken"]
    answers = {}
    for method, path in guarded(app):
        if path not in AUTHENTICATION and path != "/api/v1/promo-codes" and not path.startswith(OWN_APIS):
            answer = await client.request(method, path, headers={"Authorization": f"Bearer {token}"})
            answers[method, path] = (answer.status_code, answer.json()["errorCode"])
    assert answers == dict.fromkeys(answers, (401, "FunctionPointMissing"))
    assert ("GET", "/promo-codes") in answers


async def test_a_response_405_lists_the_allowed_methods(app: FastAPI, client: httpx.AsyncClient) -> None:
    methods: dict[str, set[str]] = {}
    for method, path in guarded(app):
        methods.setdefault(path, set()).add(method)
    answers = {path: await client.delete(path) for path in methods}
    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(methods, 405)
    assert {path: answer.headers["Allow"] for path, answer in answers.items()} == {
        path: ", ".join(sorted(allowed | {"HEAD"} if "GET" in allowed else allowed))
        for path, allowed in methods.items()
    }


async def test_one_kind_of_credential_is_not_accepted_as_another(
    app: FastAPI, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    key, token = tenant.key.secret, tenant.token.secret
    wrong = {
        "/promo-codes": [{"cv-api-key": key}, {"Authorization": f"Bearer {key}"}],
        "/api/v1/promo-codes?code=x": [tenant.bearer, {"cv-api-key": token}, {"Authorization": f"Bearer {key}"}],
        "/authenticate": [tenant.bearer, tenant.api_key],
    }
    statuses = [
        (await client.get(path, headers=headers)).status_code for path, each in wrong.items() for headers in each
    ]
    assert statuses == [401] * 7


async def test_every_documented_operation_has_a_security_scheme(app: FastAPI, client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    documented = {
        (route.path or "").replace(":path", "") for route in iter_route_contexts(app.routes) if route.include_in_schema
    }
    without_scheme = [
        (method, path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if not is_public(path) and not operation.get("security")
    ]
    assert set(document["paths"]) == documented
    assert without_scheme == []


async def test_a_request_is_compared_with_each_route_once(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []
    matches = APIRoute.matches

    def observed(route: APIRoute, scope: Any) -> Any:
        compared.append(id(route))
        return matches(route, scope)

    monkeypatch.setattr(APIRoute, "matches", observed)
    assert (await client.get("/management/v1/me")).status_code == 401
    assert len(compared) == len(set(compared)) > 0
