"""Requests made up from the OpenAPI document, good and bad ones: every answer is one that the document promises."""

from decimal import Decimal
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
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
# Each run makes up the same requests, so that a failure here is one of the change at hand.
CONFIG = {"seed": 1, "generation": {"deterministic": True, "database": "none"}}
# A stranger's request is refused before it is looked at: a few of them say as much as one for each value of a field.
STRANGERS = CONFIG | {"phases": {"coverage": {"enabled": False}}}
DOCUMENT = create_app(None).openapi()  # type: ignore[arg-type]  # the document needs no resources

schema, strangers = (
    schemathesis.openapi.from_dict(DOCUMENT, config=schemathesis.Config.from_dict(each)) for each in (CONFIG, STRANGERS)
)
some_requests = hypothesis.settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    # One tenant for all requests of an operation is what they are made for.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.fixture
async def seller(resources: Resources, tenant: Tenant, clock: Clock) -> Tenant:
    """A tenant with a promo code of each kind, so that lists and validations have something to say."""
    percent = factories.percent_code(
        tenant, "PER15", restrict_to_email_addresses=True, email_addresses=("ada@example.com",), notes="Spring"
    )
    flat = NewPromoCode(id=new_id(), name="PER10", status=Status.ACTIVE, flat_discount=Decimal("10.00"))
    await factories.add_promo_codes(resources, tenant, percent, flat, now=clock.now)
    return tenant


Case = schemathesis.Case[schemathesis.APIOperation[Any, Any, Any, Any]]


def credential_for(case: Case, tenant: Tenant) -> dict[str, str]:
    """Headers of a good credential of the first kind that the operation takes."""
    credentials = {
        "bearerToken": tenant.bearer,
        "apiKey": tenant.api_key,
        "clientIdAndSecret": basic(tenant.client.name, str(tenant.client.secret)),
    }
    accepted = [name for option in case.operation.definition.raw.get("security", []) for name in option]
    return credentials[accepted[0]] if accepted else {}


@schema.parametrize()
@some_requests
def test_a_caller_gets_documented_answers_alone(case: Case, live_url: str, seller: Tenant) -> None:
    case.call_and_validate(base_url=live_url, headers=credential_for(case, seller), checks=CHECKS)


@strangers.parametrize()
@hypothesis.settings(some_requests, max_examples=5)
def test_a_stranger_gets_documented_answers_alone(case: Case, live_url: str) -> None:
    case.call_and_validate(base_url=live_url, checks=CHECKS)
