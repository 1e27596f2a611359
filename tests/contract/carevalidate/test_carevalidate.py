"""GET /api/v1/promo-codes, by its document, to the byte."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.carevalidate_requests import (
    CODE_REQUIRED,
    INVALID_BUNDLE,
    INVALID_KEY,
    NOT_FOUND,
    TEN_PERCENT,
    UNUSABLE,
    validate,
    validate_raw,
)
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.redemption_requests import create_redemption

from tessera.api.serving.resources import Resources
from tessera.identity import provisioning
from tessera.promo_codes.rules import Status


@pytest.fixture
async def caller(resources: Resources, tenant: Tenant, clock: Clock) -> Tenant:
    """An organization with the code PER10."""
    await add_promo_codes(resources, tenant, percent_code(tenant, "PER10"), now=clock.now)
    return tenant


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "your-secret-api-key",
        "tsk_",
        "tsk_" + "A" * 43,
        "tsk_" + "A" * 43 + "_",
        "tsk_" + "A" * 43 + "_" + "A" * 43,
        "tsk_" + "!" * 43 + "_" + "A" * 43,
        "x" * 8_000,
        "tsk_\u00e9" + "A" * 42 + "_x",
        "tsk_" + "A" * 43 + "_\x00",
    ],
    ids=lambda key: repr(key)[:30],
)
@pytest.mark.parametrize("query", ["", "code=PER10", "code=%FF", "code=PER10&product_bundle_id=x"])
async def test_without_a_valid_key_nothing_else_is_revealed(
    client: httpx.AsyncClient, key: str | None, query: str
) -> None:
    headers = {} if key is None else {b"cv-api-key": key.encode("latin-1")}
    answer = await client.get(f"/api/v1/promo-codes?{query}", headers=headers)
    assert (answer.status_code, answer.content) == INVALID_KEY


@pytest.mark.parametrize("query", ["", "code=PER10", "code=%FF", "code=%00", "code=PER10&product_bundle_id=x"])
@pytest.mark.parametrize("spoilt", [lambda key: key[:-1], lambda key: key + "x", lambda key: key[:-1] + "!"])
async def test_a_key_with_a_wrong_secret_is_unknown(
    client: httpx.AsyncClient, caller: Tenant, spoilt: Callable[[str], str], query: str
) -> None:
    headers = {"cv-api-key": spoilt(caller.key.secret)}
    answer = await client.get(f"/api/v1/promo-codes?{query}", headers=headers)
    assert (answer.status_code, answer.content) == INVALID_KEY


async def test_a_bearer_token_is_no_key(client: httpx.AsyncClient, caller: Tenant) -> None:
    answer = await client.get("/api/v1/promo-codes?code=PER10", headers=caller.bearer)
    assert (answer.status_code, answer.content) == INVALID_KEY


async def test_another_organizations_code_is_not_found(
    client: httpx.AsyncClient, caller: Tenant, other_tenant: Tenant
) -> None:
    assert await validate(client, caller, code="PER10") == TEN_PERCENT
    assert await validate(client, other_tenant, code="PER10") == NOT_FOUND


async def test_a_revoked_key_is_unknown_from_the_next_request_on(
    client: httpx.AsyncClient, resources: Resources, caller: Tenant, clock: Clock
) -> None:
    assert await validate(client, caller, code="PER10") == TEN_PERCENT
    async with resources.database.unit_of_work(caller.id) as work:
        await provisioning.revoke_key(work, key_id=caller.key.id, now=clock.now)
    assert await validate(client, caller, code="PER10") == INVALID_KEY


async def test_a_rotated_key_works_until_the_end_of_the_overlap(
    client: httpx.AsyncClient, resources: Resources, caller: Tenant, clock: Clock
) -> None:
    async with resources.database.unit_of_work(caller.id) as work:
        new = await provisioning.rotate_key(work, key_id=caller.key.id, overlap=timedelta(hours=1), now=clock.now)
    for seconds, expected in ((3599, TEN_PERCENT), (1, INVALID_KEY)):
        clock.advance(seconds=seconds)
        assert await validate(client, caller, code="PER10") == expected
        answer = await client.get("/api/v1/promo-codes?code=PER10", headers={"cv-api-key": new.secret})
        assert (answer.status_code, answer.content) == TEN_PERCENT


async def test_a_switched_off_organization_has_no_good_key(
    client: httpx.AsyncClient, caller: Tenant, superuser: psycopg.Connection
) -> None:
    superuser.execute("update organizations set is_active = false where id = %s", [caller.id])
    assert await validate(client, caller, code="PER10") == INVALID_KEY


@pytest.mark.parametrize("query", ["", "code=", "code=%20", "code=%20%09%0A", "Code=PER10", "product_bundle_id=x"])
async def test_a_missing_code_is_400_before_anything_about_the_bundle(
    client: httpx.AsyncClient, caller: Tenant, query: str
) -> None:
    assert await validate_raw(client, caller, query) == CODE_REQUIRED


@pytest.mark.parametrize(
    "bundle_id",
    [
        "x",
        "0aad00c1",
        "0aad00c1-9c18-4b7c-ac3c-67afffdfbc4",
        "0aad00c1-9c18-4b7c-ac3c-67afffdfbc4e0",
        "0aad00c19c184b7cac3c67afffdfbc4e",
        "{0aad00c1-9c18-4b7c-ac3c-67afffdfbc4e}",
        "urn:uuid:0aad00c1-9c18-4b7c-ac3c-67afffdfbc4e",
        "gaad00c1-9c18-4b7c-ac3c-67afffdfbc4e",
        "0aad00c1-9c18-4b7c-ac3c-67afffdfbc4\uff15",
        "0aad00c1-9c18-4b7c-ac3c-67afffdfbc4\0",
        "\0",
        "null",
    ],
)
@pytest.mark.parametrize("code", ["PER10", "NOSUCH", "A\0B"])
async def test_a_bundle_id_that_is_no_uuid_is_400_before_the_code_is_looked_up(
    client: httpx.AsyncClient, caller: Tenant, bundle_id: str, code: str
) -> None:
    assert await validate(client, caller, code=code, product_bundle_id=bundle_id) == INVALID_BUNDLE


@pytest.mark.parametrize(
    "code", ["NOSUCH", "PER1", "PER100", "PER%", "PER1_", "P\0", "\uff30ER10", "PER 10", "x" * 5_000, "'; --"]
)
@pytest.mark.parametrize("bundle_id", ["", "0aad00c1-9c18-4b7c-ac3c-67afffdfbc4e"])
async def test_an_unknown_code_is_404(client: httpx.AsyncClient, caller: Tenant, code: str, bundle_id: str) -> None:
    assert await validate(client, caller, code=code, product_bundle_id=bundle_id) == NOT_FOUND


async def test_the_kelvin_sign_is_no_k(client: httpx.AsyncClient, resources: Resources, tenant: Tenant) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "KILO"), now=NOW)
    assert await validate(client, tenant, code="kilo") == TEN_PERCENT
    assert await validate(client, tenant, code="\N{KELVIN SIGN}ILO") == NOT_FOUND


async def test_a_query_that_is_no_utf_8_is_400(client: httpx.AsyncClient, caller: Tenant) -> None:
    assert await validate_raw(client, caller, "code=%FF") == (
        400,
        b'{"success":false,"message":"The query string is not valid UTF-8."}',
    )


@pytest.mark.parametrize("code", ["PER10", "per10", "pEr10", " PER10 ", "\tPER10\n", "\ufeff\u200bPER10 \u2060"])
async def test_a_code_is_trimmed_and_compared_in_any_case(client: httpx.AsyncClient, caller: Tenant, code: str) -> None:
    assert await validate(client, caller, code=code) == TEN_PERCENT


@pytest.mark.parametrize(
    ("flat", "shown"),
    [("10.00", b"10.00"), ("49.50", b"49.50"), ("0.01", b"0.01"), ("0.10", b"0.10"),
     ("9999999999.99", b"9999999999.99"),
     ("100", b"100.00"), ("1000000", b"1000000.00")],
)  # fmt: skip
async def test_a_flat_discount_is_exact(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, flat: str, shown: bytes
) -> None:
    code = percent_code(tenant, "FLAT", discount_percent=None, flat_discount=Decimal(flat))
    await add_promo_codes(resources, tenant, code, now=NOW)
    assert await validate(client, tenant, code="FLAT") == (
        200,
        b'{"success":true,"data":[{"flatDiscount":%s}]}' % shown,
    )


@pytest.mark.parametrize("percent", [1, 15, 100])
async def test_a_percent_discount_is_an_integer(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, percent: int
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "PER", discount_percent=percent), now=NOW)
    expected = b'{"success":true,"data":[{"percentDiscount":%d}]}' % percent
    assert await validate(client, tenant, code="PER") == (200, expected)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": Status.INACTIVE}, UNUSABLE),
        ({"status": Status.ARCHIVED}, UNUSABLE),
        ({"expires_at": NOW}, UNUSABLE),
        ({"expires_at": NOW - timedelta(microseconds=1)}, UNUSABLE),
        ({"expires_at": NOW + timedelta(microseconds=1)}, TEN_PERCENT),
        ({"expires_at": None}, TEN_PERCENT),
        ({"starts_at": NOW + timedelta(microseconds=1)}, UNUSABLE),
        ({"starts_at": NOW}, TEN_PERCENT),
        ({"max_redemptions": 5, "redemption_count": 5}, UNUSABLE),
        ({"max_redemptions": 5, "redemption_count": 4}, TEN_PERCENT),
        ({"max_redemptions": None, "redemption_count": 10**6}, TEN_PERCENT),
        ({"restrict_to_email_addresses": True, "email_addresses": ("ada@example.com",)}, TEN_PERCENT),
    ],
    ids=str,
)
async def test_an_unusable_code_is_reported_without_a_reason(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, changes: dict[str, Any], expected: object
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "CODE", **changes), now=NOW)
    assert await validate(client, tenant, code="CODE") == expected


async def test_validation_changes_nothing(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "ONCE", max_redemptions=1), now=NOW)
    query = "select * from promo_codes where organization_id = %s"
    before = superuser.execute(query, [tenant.id]).fetchall()
    assert [await validate(client, tenant, code="ONCE") for _ in range(3)] == [TEN_PERCENT] * 3
    assert superuser.execute(query, [tenant.id]).fetchall() == before


@pytest.mark.parametrize("with_product", [False, True])
async def test_a_code_is_used_up_while_its_last_use_is_held(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock, *, with_product: bool
) -> None:
    codes = [percent_code(tenant, f"LAST{uses}", max_redemptions=uses, store_exam_ids=()) for uses in (1, 2)]
    await add_promo_codes(resources, tenant, *codes, now=clock.now)
    product = {"product_bundle_id": tenant.bundle_id} if with_product else {}

    async def answers() -> list[tuple[int, bytes]]:
        return [await validate(client, tenant, code=code.name, **product) for code in codes]

    for code in codes:
        await create_redemption(client, tenant, code.name, f"RSV-{code.name}", holdSeconds=60)
    assert await answers() == [UNUSABLE, TEN_PERCENT]
    clock.advance(seconds=60)
    assert await answers() == [TEN_PERCENT, TEN_PERCENT]
