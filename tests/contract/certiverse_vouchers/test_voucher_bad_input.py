"""Everything wrong that a caller of the Voucher Partner API may send: 400, 413 or 415, each violation named."""

from urllib.parse import quote

import httpx
import pytest
from tests.support.factories import Tenant
from tests.support.responses import status_and_body, validation_failed
from tests.support.voucher_requests import EMPTY, LISTS

from tessera.api.certiverse_vouchers.errors import MODELS
from tessera.api.http.fields import wire_names

PARTNERS, PROGRAMS, PURCHASES, VOUCHERS = LISTS
PAGE = "page must be a positive integer."
STATUS = "status must be one of Active, Inactive, Archived."
PURCHASE_STATUS = (
    "status must be one of CheckoutCancelled, CheckoutExpired, CheckoutFailed, CheckoutInProgress, Complete,"
    " VoucherCreation."
)
NUL = "must not contain a NUL character."
TEXTS = {
    PARTNERS: ["partnerName"],
    PROGRAMS: ["programName"],
    PURCHASES: ["partnerName", "programName", "purchaseCode", "purchasedByEmail"],
    VOUCHERS: ["purchaseCode", "recipientEmail", "reservationCode", "storeExamCode", "voucherCode"],
}
EMAILS = [(PURCHASES, "purchasedByEmail"), (VOUCHERS, "recipientEmail")]


def test_a_field_has_one_name_on_the_wire_whichever_request_it_is_in() -> None:
    # A violation carries the field's own name only, and is told under the first request's that has it.
    named = {(name, wire) for model in MODELS for name, wire in wire_names(model).items()}
    assert len({name for name, _ in named}) == len(named)


def test_fields_of_all_requests_have_one_order() -> None:
    assert [list(wire_names(model).values()) for model in MODELS] == [
        sorted(wire_names(model).values()) for model in MODELS
    ]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "number",
    ["0", "00", "-1", "-0", "1.5", "1.0", "1e3", "0x1", "one", "%20", "+1", "1%20", "%EF%BC%91", "%D9%A1", "1%00",
     "1_0", "%C2%B2", "1,2", "null", "true"],
)  # fmt: skip
async def test_a_page_that_is_no_positive_integer_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, path: str, number: str
) -> None:
    assert status_and_body(await client.get(f"{path}?page={number}", headers=tenant.bearer)) == validation_failed(PAGE)


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("number", [str(2**31), str(2**63), str(10**30), "9" * 5_000])
async def test_a_page_of_any_size_is_only_past_the_end(
    client: httpx.AsyncClient, tenant: Tenant, path: str, number: str
) -> None:
    query = f"page={number}&status=Active" if path == PARTNERS else f"page={number}&purchaseCode=X"
    assert status_and_body(await client.get(f"{path}?{query}", headers=tenant.bearer)) == EMPTY


@pytest.mark.parametrize("value", ["yes", "1", "0", "on", "t", "null", "true%20", "%20true", "true,false", "tr%C3%BCe"])
@pytest.mark.parametrize("name", ["isUsed", "isActive"])
async def test_what_is_neither_true_nor_false_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, name: str, value: str
) -> None:
    answer = await client.get(f"{VOUCHERS}?{name}={value}", headers=tenant.bearer)
    assert status_and_body(answer) == validation_failed(f"{name} must be true or false.")


@pytest.mark.parametrize(
    "value",
    ["ada", "@example.com", "ada@", "a b@example.com", "ada@example.com,", "ada@@example.com", "ada@exa mple.com",
     "Ada <ada@example.com>", "ada@example.com\n", "ada.@example.com", " ", "a" * 250 + "@example.com"],
)  # fmt: skip
@pytest.mark.parametrize(("path", "name"), EMAILS)
async def test_what_is_no_e_mail_address_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, path: str, name: str, value: str
) -> None:
    answer = await client.get(f"{path}?{name}={quote(value)}", headers=tenant.bearer)
    assert status_and_body(answer) == validation_failed(f"{name} must be a valid e-mail address.")


@pytest.mark.parametrize(
    "value", ["Deleted", "Active%20", "Active,Inactive", "1", "true", "%00", "%C4%B0nactive", "chec%E2%84%AAoutfailed"]
)
@pytest.mark.parametrize(("path", "message"), [(PARTNERS, STATUS), (PURCHASES, PURCHASE_STATUS)])
async def test_a_status_that_is_none_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, path: str, message: str, value: str
) -> None:
    assert status_and_body(await client.get(f"{path}?status={value}", headers=tenant.bearer)) == validation_failed(
        message
    )


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, names in TEXTS.items() for name in names])
async def test_a_nul_in_a_text_is_refused_under_its_name(
    client: httpx.AsyncClient, tenant: Tenant, path: str, name: str
) -> None:
    answer = await client.get(f"{path}?{name}=a%00b", headers=tenant.bearer)
    assert status_and_body(answer) == validation_failed(f"{name} {NUL}")


@pytest.mark.parametrize(
    ("path", "name"),
    [(path, name) for path, names in TEXTS.items() for name in (*names, "page")]
    + [(PARTNERS, "status"), (PURCHASES, "status"), (VOUCHERS, "isUsed"), (VOUCHERS, "isActive")],
)
async def test_a_parameter_given_twice_is_refused_under_its_name(
    client: httpx.AsyncClient, tenant: Tenant, path: str, name: str
) -> None:
    value = {"page": "1", "isUsed": "true", "isActive": "true"}.get(name, "ada@example.com")
    value = {PARTNERS: "Active", PURCHASES: "Complete"}.get(path, value) if name == "status" else value
    answer = await client.get(f"{path}?{name}={value}&{name}={value}", headers=tenant.bearer)
    assert status_and_body(answer) == validation_failed(f"{name} must be given once.")


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("query", ["x=1&x=2", "page=&page=1&partnerName=", "purchaseCode=&purchaseCode=&page=1"])
async def test_what_is_empty_or_unknown_is_no_repetition(
    client: httpx.AsyncClient, tenant: Tenant, path: str, query: str
) -> None:
    answer = await client.get(f"{path}?{query}&status=Active&isUsed=true", headers=tenant.bearer)
    assert status_and_body(answer) == (validation_failed(PURCHASE_STATUS) if path == PURCHASES else EMPTY)


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("query", ["purchaseCode=%FF", "x=%FF", "partnerName=%ED%A0%80", "%FF", "page=%C0%B1"])
async def test_a_query_that_is_no_utf_8_is_malformed(
    client: httpx.AsyncClient, tenant: Tenant, path: str, query: str
) -> None:
    assert status_and_body(await client.get(f"{path}?{query}", headers=tenant.bearer)) == (
        400,
        {"errorCode": "MalformedRequest", "errorMessages": ["The query string is not valid UTF-8."]},
    )


@pytest.mark.parametrize(
    ("path", "query", "messages"),
    [
        (PARTNERS, "status=x&partnerName=%00&page=x", [PAGE, f"partnerName {NUL}", STATUS]),
        (PROGRAMS, "programName=%00&page=x", [PAGE, f"programName {NUL}"]),
        (
            PURCHASES,
            "status=x&purchasedByEmail=x&purchaseCode=%00&programName=%00&partnerName=%00&page=0",
            [
                PAGE,
                f"partnerName {NUL}",
                f"programName {NUL}",
                f"purchaseCode {NUL}",
                "purchasedByEmail must be a valid e-mail address.",
                PURCHASE_STATUS,
            ],
        ),
        (
            VOUCHERS,
            "voucherCode=%00&storeExamCode=%00&reservationCode=%00&recipientEmail=x&purchaseCode=%00&page=0&isUsed=x"
            "&isActive=x",
            [
                "isActive must be true or false.",
                "isUsed must be true or false.",
                PAGE,
                f"purchaseCode {NUL}",
                "recipientEmail must be a valid e-mail address.",
                f"reservationCode {NUL}",
                f"storeExamCode {NUL}",
                f"voucherCode {NUL}",
            ],
        ),
        (VOUCHERS, "voucherCode=%00&page=x", [PAGE, f"voucherCode {NUL}"]),
        (PURCHASES, "page=x", [PAGE]),
    ],
)
async def test_everything_wrong_comes_in_one_answer_in_the_order_of_the_document(
    client: httpx.AsyncClient, tenant: Tenant, path: str, query: str, messages: list[str]
) -> None:
    assert status_and_body(await client.get(f"{path}?{query}", headers=tenant.bearer)) == validation_failed(*messages)
