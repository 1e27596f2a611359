"""Requests generated from the OpenAPI document, valid and invalid: each response must be documented."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema
from tests.conftest import Clock
from tests.support import factories
from tests.support.authentication_requests import basic
from tests.support.factories import Tenant

from tessera.api.application import create_app
from tessera.api.serving.resources import Resources
from tessera.kit.identifiers import new_id
from tessera.promo_codes.rules import Status
from tessera.promo_codes.service import NewPromoCode

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    allow_header_conformance,
]
# Each run generates the same requests, so that a new failure comes from a change of the code.
CONFIG = {"seed": 1, "generation": {"deterministic": True, "database": "none"}}
# A request without a credential is rejected before it is parsed, so that a few examples are enough.
STRANGERS = CONFIG | {"phases": {"coverage": {"enabled": False}, "examples": {"enabled": False}}}
DOCUMENT = create_app(None).openapi()  # type: ignore[arg-type]  # the document needs no resources

SCHEMAS: dict[str, OpenApiSchema] = {
    name: schemathesis.openapi.from_dict(DOCUMENT, config=schemathesis.Config.from_dict(config))
    for name, config in (("callers", CONFIG), ("strangers", STRANGERS))
}
LABELS = [f"{method.upper()} {path}" for path, item in DOCUMENT["paths"].items() for method in item]
some_requests = hypothesis.settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    # All requests of an operation may share one tenant.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.fixture
async def seller(resources: Resources, tenant: Tenant, clock: Clock) -> Tenant:
    """A tenant with a promo code of each kind, so that lists and validations are not empty."""
    percent = factories.percent_code(
        tenant, "PER15", restrict_to_email_addresses=True, email_addresses=("ada@example.com",), notes="Spring"
    )
    flat = NewPromoCode(id=new_id(), name="PER10", status=Status.ACTIVE, flat_discount=Decimal("10.00"))
    await factories.add_promo_codes(resources, tenant, percent, flat, now=clock.now)
    return tenant


@pytest.fixture(scope="module")
def connection() -> Iterator[requests.Session]:
    """A connection for all requests, which costs less than a connection for each; it keeps no cookies."""
    with requests.Session() as session:
        session.trust_env = False  # looks for a proxy at every request
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield session


Case = schemathesis.Case[schemathesis.APIOperation[Any, Any, Any, Any]]


def credential_for(case: Case, tenant: Tenant) -> dict[str, str]:
    """Headers with a valid credential of the first kind that the operation accepts."""
    credentials = {
        "bearerToken": tenant.bearer,
        "apiKey": tenant.api_key,
        "clientIdAndSecret": basic(tenant.client.name, str(tenant.client.secret)),
    }
    accepted = [name for option in case.operation.definition.raw.get("security", []) for name in option]
    return credentials[accepted[0]] if accepted else {}


@cache
def operations_for(kind: str) -> dict[str, Any]:
    """The operations of the document by label, for one of the two kinds of requests."""
    operations = (each.ok() for each in SCHEMAS[kind].get_all_operations() if isinstance(each, Ok))
    return {operation.label: operation for operation in operations}


def check_all(kind: str, label: str, check: Callable[[Case], None], settings: hypothesis.settings) -> None:
    """Check the requests that are generated for an operation.

    `schema.parametrize` generates many of them for all operations while each process collects its tests.
    """
    test = build_operation_test(
        config=SCHEMAS[kind].config,
        operation=operations_for(kind)[label],
        test_func=check,
        given_kwargs={},
        feedback=FeedbackSources(),
        explicit_settings=settings,
    )
    test()


@pytest.mark.parametrize("label", LABELS)
def test_a_caller_gets_only_documented_responses(
    label: str, live_url: str, seller: Tenant, connection: requests.Session
) -> None:
    def check(case: Case) -> None:
        headers = credential_for(case, seller)
        case.call_and_validate(base_url=live_url, headers=headers, session=connection, checks=CHECKS)

    check_all("callers", label, check, some_requests)


@pytest.mark.parametrize("label", LABELS)
def test_a_caller_without_a_credential_gets_only_documented_responses(
    label: str, live_url: str, connection: requests.Session
) -> None:
    def check(case: Case) -> None:
        case.call_and_validate(base_url=live_url, session=connection, checks=CHECKS)

    check_all("strangers", label, check, hypothesis.settings(some_requests, max_examples=5))
