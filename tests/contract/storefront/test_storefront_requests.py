"""Permissions of the storefront API, and every invalid request, as problem details."""

from typing import Any

import httpx
import pytest
from tests.support.factories import Tenant
from tests.support.management_requests import error_count

URL = "/storefront/v1/validations"
GOOD = {"codes": ["ANY"], "storeExamCode": "NCA-GENL"}


def problem(status: int, kind: str, title: str, detail: str, **more: Any) -> dict[str, Any]:
    return {"type": f"urn:tessera:problem:{kind}", "title": title, "status": status, "detail": detail, **more}


def invalid(*errors: tuple[str, str, str]) -> dict[str, Any]:
    listed = [{"pointer": pointer, "code": code, "detail": detail} for pointer, code, detail in errors]
    return problem(400, "validation-failed", "Validation failed", error_count(len(errors)), errors=listed)


async def test_without_a_credential_it_is_401(client: httpx.AsyncClient) -> None:
    answer = await client.post(URL, json=GOOD)
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    expected = problem(401, "not-authenticated", "Authentication required", "A Bearer token is required.")
    assert answer.json() == expected


@pytest.mark.parametrize("key", ["", "x", "tsk_" + "A" * 43 + "_x"])
async def test_a_wrong_key_is_401_even_beside_a_good_token(client: httpx.AsyncClient, tenant: Tenant, key: str) -> None:
    answer = await client.post(URL, json=GOOD, headers=tenant.bearer | {"cv-api-key": key})
    assert answer.status_code == 401


async def test_key_and_token_both_do(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for headers in (tenant.api_key, tenant.bearer):
        assert (await client.post(URL, json=GOOD, headers=headers)).status_code == 200


async def test_without_the_function_point_it_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    credentials = (tenant.powerless_client.name, tenant.powerless_client.secret)
    token = (await client.get("/authenticate", auth=credentials)).json()["authToken"]
    answer = await client.post(URL, json=GOOD, headers={"Authorization": f"Bearer {token}"})
    words = "The function point StorefrontRedeem is required."
    expected = problem(403, "function-point-missing", "Permission missing", words)
    assert (answer.status_code, answer.json()) == (403, expected)


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (
            {},
            [
                ("/codes", "Required", "codes is required."),
                (
                    "/storeExamCode",
                    "OneProduct",
                    "storeExamCode or productBundleId must be given, and not both of them.",
                ),
            ],
        ),
        (
            {"codes": [], "storeExamCode": "NCA-GENL"},
            [("/codes", "NumberOfCodes", "codes must be a list of 1 to 1,000 codes.")],
        ),
        (
            {"codes": ["A"] * 1001, "storeExamCode": "NCA-GENL"},
            [("/codes", "NumberOfCodes", "codes must be a list of 1 to 1,000 codes.")],
        ),
        (
            {"codes": ["A", " \u200b", 7, "B" * 101, "C\0"], "storeExamCode": "NCA-GENL"},
            [(f"/codes/{n}", "NotCode", f"codes/{n} must be a string of 1 to 100 characters.") for n in (1, 2, 3, 4)],
        ),
        (
            {"codes": ["A"], "productBundleId": "x", "candidate": {"email": "y"}, "asOf": "2026-01-01"},
            [
                ("/productBundleId", "NotUuid", "productBundleId must be a UUID."),
                ("/candidate/email", "NotEmail", "candidate/email must be a valid e-mail address."),
                (
                    "/asOf",
                    "NotDateTime",
                    "asOf must be an ISO 8601 date and time, such as 2026-01-01T00:00:00.",
                ),
            ],
        ),
        (
            {"codes": ["A"], "storeExamCode": "NONE"},
            [("/storeExamCode", "ProductNotFound", "storeExamCode must name a product that is on sale.")],
        ),
        (
            {"codes": ["A", " "], "storeExamCode": "NONE", "asOf": "now"},
            [
                ("/codes/1", "NotCode", "codes/1 must be a string of 1 to 100 characters."),
                ("/storeExamCode", "ProductNotFound", "storeExamCode must name a product that is on sale."),
                (
                    "/asOf",
                    "NotDateTime",
                    "asOf must be an ISO 8601 date and time, such as 2026-01-01T00:00:00.",
                ),
            ],
        ),
    ],
)
async def test_everything_that_is_wrong_is_named_with_a_pointer(
    client: httpx.AsyncClient, tenant: Tenant, body: dict[str, Any], errors: list[tuple[str, str, str]]
) -> None:
    answer = await client.post(URL, json=body, headers=tenant.api_key)
    assert (answer.status_code, answer.json()) == (400, invalid(*errors))
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_an_exam_and_a_bundle_at_once_are_refused_whatever_they_are(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    for exam, bundle, more in (("NCA-GENL", str(tenant.bundle_id), []), ("NONE", "?", ["NotUuid"])):
        body = GOOD | {"storeExamCode": exam, "productBundleId": bundle}
        answer = await client.post(URL, json=body, headers=tenant.api_key)
        assert [error["code"] for error in answer.json()["errors"]] == ["OneProduct", *more]


@pytest.mark.parametrize("candidate", ["ada@example.com", 7, [], True])
async def test_a_candidate_that_is_no_object_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, candidate: object
) -> None:
    answer = await client.post(URL, json=GOOD | {"candidate": candidate}, headers=tenant.api_key)
    assert (answer.status_code, answer.json()) == (
        400,
        invalid(("/candidate", "NotObject", "candidate must be an object.")),
    )


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        (b"{", 400, "malformed-request"),
        (b"[]", 400, "malformed-request"),
        (b"\xff", 400, "malformed-request"),
        (b"[" * 10_000, 400, "malformed-request"),
        (b" " * (1024 * 1024 + 1), 413, "request-too-large"),
    ],
)
async def test_what_cannot_be_read_is_a_problem(
    client: httpx.AsyncClient, tenant: Tenant, content: bytes, status: int, kind: str
) -> None:
    answer = await client.post(URL, content=content, headers=tenant.api_key)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:tessera:problem:{kind}")


async def test_other_paths_methods_and_media_types_are_problems(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = tenant.api_key | {"Content-Type": "text/plain"}
    answers = [
        await client.get("/storefront/v1/nothing"),
        await client.get(URL),
        await client.post(URL, content=b"{}", headers=headers),
    ]
    assert [(each.status_code, each.json()["status"]) for each in answers] == [(404, 404), (405, 405), (415, 415)]
