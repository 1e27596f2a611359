"""Requests generated from the OpenAPI document, valid and invalid: each response must be documented."""

from collections.abc import Iterator
from decimal import Decimal
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING

import pytest
import requests
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from tests.conftest import Clock
from tests.support import factories
from tests.support.authentication_requests import basic
from tests.support.factories import Tenant

from tessera.api.application import create_app
from tessera.api.serving.resources import Resources
from tessera.kit.identifiers import new_id
from tessera.promo_codes.rules import Status
from tessera.promo_codes.service import NewPromoCode

if TYPE_CHECKING:
    from tests.support.generated_requests import Case, Generator

# Without a credential, a request is rejected before it is parsed, so that a few requests are enough.
STRANGERS = 5
# Every process collects these tests, and building the document takes a second.
LABELS = [
    f"{method} {route.path_format}"
    for route in iter_route_contexts(create_app(None).routes)  # type: ignore[arg-type]  # routes need no resources
    for method in sorted(route.methods or ())
    if route.include_in_schema
]


@pytest.fixture(scope="module")
def generator(app: FastAPI) -> "Generator":
    from tests.support.generated_requests import Generator  # noqa: PLC0415 - takes a second

    return Generator(app.openapi())


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


def test_requests_are_generated_for_every_operation(generator: "Generator") -> None:
    assert list(generator.operations) == LABELS


@pytest.mark.parametrize("label", LABELS)
def test_callers_with_and_without_a_credential_get_only_documented_responses(
    label: str, generator: "Generator", live_url: str, seller: Tenant, connection: requests.Session
) -> None:
    from tests.support.generated_requests import CHECKS, is_random  # noqa: PLC0415 - takes a second

    credentials = {
        "bearerToken": seller.bearer,
        "apiKey": seller.api_key,
        "clientIdAndSecret": basic(seller.client.name, str(seller.client.secret)),
    }
    accepted = generator.security_of(label)
    headers = credentials[accepted[0]] if accepted else {}
    strangers = 0

    def check(case: "Case") -> None:
        nonlocal strangers
        case.call_and_validate(base_url=live_url, headers=headers, session=connection, checks=CHECKS)
        if headers and is_random(case) and strangers < STRANGERS:
            strangers += 1
            case.call_and_validate(base_url=live_url, session=connection, checks=CHECKS)

    generator.check_all(label, check)
    assert bool(strangers) == bool(headers)
