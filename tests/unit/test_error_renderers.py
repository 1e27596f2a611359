"""Errors of the HTTP layer have the same status in the format of each API."""

import pytest

from tessera.api.application import ERROR_RENDERERS
from tessera.api.http.errors import (
    BodyTooSlow,
    HeadTooLarge,
    HeadTooSlow,
    MethodNotAllowed,
    RequestTooLarge,
    Unexpected,
    UnknownPath,
)
from tessera.kit.errors import DatabaseUnavailable, DomainError, TooManyRequests

PATHS = [
    "/",
    "/authenticate",
    "/api/authenticate",
    "/oauth/token",
    "/api/vouchers",
    "/promo-codes",
    "/api/promo-codes",
    "/storefront/v1/validations",
    "/management/v1/users",
    "/api/v1/promo-codes",
]
STATUSES = [
    (UnknownPath(), 404),
    (MethodNotAllowed("GET"), 405),
    (HeadTooSlow(10), 408),
    (BodyTooSlow(1024), 408),
    (RequestTooLarge(1024), 413),
    (TooManyRequests("Wait.", limit="misses"), 429),
    (HeadTooLarge(1024), 431),
    (Unexpected(), 500),
    (DatabaseUnavailable(), 503),
]


@pytest.mark.parametrize(("error", "status"), STATUSES, ids=lambda each: type(each).__name__)
def test_an_error_has_the_same_status_in_every_format(error: DomainError, status: int) -> None:
    responses = {path: ERROR_RENDERERS.render({"path": path, "state": {}}, error) for path in PATHS}
    assert {path: response.status_code for path, response in responses.items()} == dict.fromkeys(PATHS, status)
