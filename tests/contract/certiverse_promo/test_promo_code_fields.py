"""POST /promo-codes with fields of every wrong kind: 400, never a 500."""

import json
from decimal import Decimal

import httpx
import psycopg
import pytest
from tests.support.factories import Tenant
from tests.support.promo_code_requests import PROMO_CODE, create, request, send
from tests.support.responses import status_and_body, validation_failed

from tessera.api.serving.resources import Resources
from tessera.catalog import service as catalog
from tessera.catalog.service import NewStoreExam
from tessera.kit.identifiers import new_id


def body(name: str, literal: str) -> bytes:
    """The document's request with one property replaced by a JSON literal."""
    return json.dumps(request(**{name: "@"})).replace('"@"', literal, 1).encode()


@pytest.mark.parametrize(
    "given",
    [
        "2030-01-01",
        "2030-W01-2T00:00:00",
        "2030-W01-2",
        "2030-001T00:00:00",
        "20300101T000000",
        "2030-01-01T24:00:00",
        "2030-06-30T23:59:60Z",
        "2030-02-30T00:00:00",
        "2030-01-01 00:00:00",
        "2030-01-01t00:00:00",
        "2030-01-01T00:00:00z",
        "2030-01-01T00:00:00 Z",
        "2030-01-01T00",
        "2030-01-01T00:00:00.",
        "2030-01-01T00:00:00+24:00",
        "2030-01-01T00:00:00+99:99",
        "2030-01-01T00:00:00[UTC]",
        "٢٠٣٠-01-01T00:00:00",
        "0000-01-01T00:00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "10000-01-01T00:00:00",
        "+2030-01-01T00:00:00",
        " 2030-01-01T00:00:00",
        "2030-01-01T00:00:00\n",
        "2030-01-01T00:00:00\0",
        "",
        "tomorrow",
        1893456000,
        1893456000.5,
        True,
        ["2030-01-01T00:00:00"],
        {"date": "2030-01-01"},
    ],
    ids=repr,
)
async def test_a_malformed_date_and_time_is_refused(client: httpx.AsyncClient, tenant: Tenant, given: object) -> None:
    assert status_and_body(await create(client, tenant, expirationDateUtc=given)) == validation_failed(
        "expirationDateUtc must be an ISO 8601 date and time, such as 2026-01-01T00:00:00."
    )


async def test_the_first_year_is_only_in_the_past(client: httpx.AsyncClient, tenant: Tenant) -> None:
    assert status_and_body(await create(client, tenant, expirationDateUtc="0001-01-01T00:00:00Z")) == validation_failed(
        "expirationDateUtc must not be in the past."
    )


@pytest.mark.parametrize("literal", ['"10"', "10.0", "10.5", "1e1", "true", "false", "[10]", "{}", '""', str(10**30)])
@pytest.mark.parametrize("name", ["discountPercent", "maxRedemptions", "maxRedemptionsPerCandidate"])
async def test_a_value_that_is_not_an_integer_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, name: str, literal: str
) -> None:
    assert status_and_body(await send(client, tenant, body(name, literal))) == validation_failed(
        f"{name} must be an integer."
    )


@pytest.mark.parametrize("value", [2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63), 2**64 - 1])
async def test_integers_beyond_the_databases_own_are_only_out_of_range(
    client: httpx.AsyncClient, tenant: Tenant, value: int
) -> None:
    answer = await create(client, tenant, discountPercent=value, maxRedemptions=value, maxRedemptionsPerCandidate=value)
    assert status_and_body(answer) == validation_failed(
        "discountPercent must be between 1 and 100.",
        "maxRedemptions must be between 1 and 100,000.",
        "maxRedemptionsPerCandidate must be between 1 and 100,000.",
    )


@pytest.mark.parametrize("value", [1, 1.5, True, ["x"], {"x": "y"}], ids=repr)
@pytest.mark.parametrize("name", ["promoCodeName", "notes"])
async def test_a_value_that_is_not_a_text_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, name: str, value: object
) -> None:
    assert status_and_body(await create(client, tenant, **{name: value})) == validation_failed(
        f"{name} must be a string."
    )


@pytest.mark.parametrize("name", ["storeExamCodes", "emailAddresses"])
@pytest.mark.parametrize(
    ("value", "messages"),
    [
        ("NCA-GENL", [" must be a list of strings"]),
        ({"0": "NCA-GENL"}, [" must be a list of strings"]),
        (1, [" must be a list of strings"]),
        (True, [" must be a list of strings"]),
        ([1], ["/0 must be a string"]),
        ([None], ["/0 must be a string"]),
        ([["NCA-GENL"]], ["/0 must be a string"]),
        (
            ["NCA-GENL", 1, None, "\0"],
            ["/1 must be a string", "/2 must be a string", "/3 must not contain a NUL character"],
        ),
    ],
    ids=repr,
)
async def test_a_value_that_is_not_a_list_of_texts_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, name: str, value: object, messages: list[str]
) -> None:
    assert status_and_body(await create(client, tenant, **{name: value})) == validation_failed(
        *(f"{name}{each}." for each in messages)
    )


@pytest.mark.parametrize("value", ["true", "True", 0, 1, 1.0, [], {}, "Active", ""], ids=repr)
async def test_a_value_that_is_not_a_boolean_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, value: object
) -> None:
    assert status_and_body(
        await create(client, tenant, isActive=value, restrictToEmailAddresses=value)
    ) == validation_failed("isActive must be true or false.", "restrictToEmailAddresses must be true or false.")


async def test_text_with_a_nul_is_refused_everywhere(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await create(
        client,
        tenant,
        promoCodeName="SPR\0ING",
        notes="\0",
        storeExamCodes=["NCA-GENL\0"],
        emailAddresses=["ada@example.com\0"],
    )
    assert status_and_body(answer) == validation_failed(
        "storeExamCodes/0 must not contain a NUL character.",
        "promoCodeName must not contain a NUL character.",
        "emailAddresses/0 must not contain a NUL character.",
        "notes must not contain a NUL character.",
    )


HOSTILE = '"\\\b\f\n\r\t\x01\x1f\x7f/</script>é\u2028\U0001f600\ufffd%s{}$1'


async def test_any_other_text_is_unchanged_in_the_response_and_in_the_list(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources
) -> None:
    async with resources.database.unit_of_work(tenant.id) as work:
        exam = NewStoreExam(new_id(), HOSTILE, HOSTILE, Decimal(1))
        await catalog.add_store_exams(work, [exam], now=resources.clock())
    email = "o'neil+é{x}@example.com"
    created = await create(client, tenant, notes=HOSTILE, storeExamCodes=[HOSTILE], emailAddresses=[email])
    assert created.status_code == 201, created.json()
    assert (created.json()["notes"], created.json()["storeExamCodes"]) == (HOSTILE, [HOSTILE])
    listed = await client.get("/promo-codes", headers=tenant.bearer)
    assert listed.json()["data"] == [created.json()]


async def test_a_nul_in_the_name_of_an_unknown_property_is_ignored(client: httpx.AsyncClient, tenant: Tenant) -> None:
    assert status_and_body(await create(client, tenant, **{"not\0es": "\0"})) == (201, PROMO_CODE)


@pytest.mark.parametrize(
    "name",
    ["SPRI\N{LATIN SMALL LETTER DOTLESS I}G", "\N{KELVIN SIGN}ELVIN", "\uff33\uff30\uff32", "SPR\u00c4NG", "SPR\u0661"],
)
async def test_look_alikes_are_not_alphanumeric(client: httpx.AsyncClient, tenant: Tenant, name: str) -> None:
    assert status_and_body(await create(client, tenant, promoCodeName=name)) == validation_failed(
        "promoCodeName must be alphanumeric (A-Z, a-z, 0-9)."
    )


async def test_look_alikes_of_store_exams_are_unknown(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    superuser.execute(
        "update store_exams set code = 'KIT' where organization_id = %s and code = 'CLD-100'", [tenant.id]
    )
    look_alikes = ["\N{KELVIN SIGN}IT", "K\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}T", "\uff2b\uff29\uff34"]
    assert status_and_body(await create(client, tenant, storeExamCodes=["kit", *look_alikes])) == validation_failed(
        "storeExamCodes has unknown store exams: " + ", ".join(f"'{each}'" for each in look_alikes) + "."
    )


async def test_many_wrong_values_are_named_ten_at_most(client: httpx.AsyncClient, tenant: Tenant) -> None:
    wrong = [f"X-{number}" for number in range(20_000)]
    assert status_and_body(
        await create(client, tenant, storeExamCodes=wrong, emailAddresses=wrong[:11])
    ) == validation_failed(
        "storeExamCodes has unknown store exams: 'X-0', 'X-1', 'X-2', 'X-3', 'X-4', 'X-5', 'X-6', 'X-7', "
        "'X-8', 'X-9' and 19,990 more.",
        "emailAddresses must be valid e-mail addresses, not 'X-0', 'X-1', 'X-2', 'X-3', 'X-4', 'X-5', 'X-6', 'X-7', "
        "'X-8', 'X-9' and 1 more.",
    )


@pytest.mark.parametrize("name", ["storeExamCodes", "emailAddresses"])
async def test_a_long_wrong_value_is_cut_in_the_message(client: httpx.AsyncClient, tenant: Tenant, name: str) -> None:
    answer = await create(client, tenant, **{name: ["x" * 500_000]})
    assert answer.status_code == 400
    assert len(answer.content) < 300


@pytest.mark.parametrize(
    "address",
    ["ada", "ada@", "@example.com", "a b@example.com", "ada@example", "ada@exa_mple.com", "ada@example.com\n", "",
     "ada@[127.0.0.1]", "Ada <ada@example.com>", "ada@example.com,bob@example.com", "a" * 250 + "@b.co"],
)  # fmt: skip
async def test_a_wrong_address_is_named(client: httpx.AsyncClient, tenant: Tenant, address: str) -> None:
    assert status_and_body(
        await create(client, tenant, emailAddresses=["bob@example.com", address])
    ) == validation_failed(f"emailAddresses must be valid e-mail addresses, not '{address[:60]}'.")


async def test_ten_thousand_addresses_are_kept(client: httpx.AsyncClient, tenant: Tenant) -> None:
    addresses = [f"user{number}@example.com" for number in range(10_000)]
    repeated = [address.upper() for address in addresses]
    answer = await create(client, tenant, emailAddresses=addresses + repeated)
    assert status_and_body(answer) == (201, PROMO_CODE | {"emailAddresses": addresses})
    listed = await client.get("/promo-codes", headers=tenant.bearer)
    assert listed.json() == {"data": [PROMO_CODE | {"emailAddresses": addresses}], "nextLink": None}


async def test_ten_thousand_and_one_addresses_are_too_many(client: httpx.AsyncClient, tenant: Tenant) -> None:
    addresses = [f"user{number}@example.com" for number in range(10_001)]
    assert status_and_body(await create(client, tenant, emailAddresses=addresses)) == validation_failed(
        "emailAddresses must have at most 10,000 addresses."
    )
