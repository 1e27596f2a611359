"""Importing exports of other vendors: files with the columns that their documentation names."""

from typing import Any

import httpx
import pytest
from tests.support.factories import Tenant
from tests.support.management_requests import ROOT, invalid
from tests.support.redemption_requests import candidate, create_redemption, reasons, redeem
from tests.support.responses import status_and_body

URL = f"{ROOT}/promo-code-imports"

# Two codes for each vendor, SUMMER10 with 99 of 100 uses and FLAT5 with all of its 7 uses, and a line for each thing
# that promo codes cannot carry, by the column that the refusal names.
SHOPIFY = (
    "ID,Title,Command,Code,Code Command,Code Used Count,Total Used Count,Type,Method,Value Type,Value,"
    "Minimum Requirement,Minimum Value,Limit Total Times,Limit One Use Per Customer,Limit Uses Per Order,"
    "Status,Starts At,Ends At,"
    "Combines with Product Discounts,Combines with Order Discounts,Combines with Shipping Discounts,Applies To: Type,"
    "Eligibility: Customer Type,Purchase Type,Summary",
    [
        "1,Summer,MERGE,SUMMER10,MERGE,99,99,Amount off Order,Code,Percentage,10,None,,100,TRUE,,Active,"
        "2026-01-01 00:00:00 -0500,2027-01-01 00:00:00 -0500,FALSE,FALSE,TRUE,All,All,One-Time Purchase,10% off",
        "2,Flat,MERGE,FLAT5,MERGE,7,7,Amount off Order,Code,Fixed Amount,5.00,None,,7,FALSE,,Active,,,,,,,,,",
    ],
    {
        "Type": "3,,,SHIP,,0,0,Free Shipping,Code,Percentage,10,,,,,,Active,,,,,,,,,",
        "Total Used Count": "3,,,SHARED,,1,5,Amount off Order,Code,Percentage,10,,,9,,,Active,,,,,,,,,",
        "Method": "3,,,AUTO,,0,0,Amount off Order,Automatic,Percentage,10,,,,,,Active,,,,,,,,,",
        "Minimum Value": "3,,,MIN50,,0,0,Amount off Order,Code,Percentage,10,None,50,,,,Active,,,,,,,,,",
        "Applies To: Type": "3,,,PROD,,0,0,Amount off Products,Code,Percentage,10,,,,,,Active,,,,,,Products,,,",
        "Value": "3,,,HALF,,0,0,Amount off Order,Code,Percentage,12.5,,,,,,Active,,,,,,,,,",
    },
)
WOOCOMMERCE = (
    "id,code,amount,status,date_created,discount_type,description,date_expires,date_expires_gmt,usage_count,individual_use,"
    "product_ids,excluded_product_ids,usage_limit,usage_limit_per_user,limit_usage_to_x_items,free_shipping,"
    "exclude_sale_items,minimum_amount,maximum_amount,email_restrictions,used_by,meta_data",
    [
        "1,summer10,10.00,publish,2026-01-01T09:00:00,percent,Summer,2027-01-01T05:00:00,2027-01-01T00:00:00,99,1,"
        '[],[],100,1,,,,0.00,0.00,"[""ada@example.com"",""P@example.com""]","[""1"",""2""]",[]',
        "2,flat5,5.00,publish,2026-01-01T09:00:00,fixed_cart,,,,7,,[],[],7,,,,,0.00,0.00,[],[],[]",
    ],
    {
        "discount_type": "3,prod,5.00,publish,,fixed_product,,,,0,,[],[],,,,,,0.00,0.00,[],[],[]",
        "date_expires": "3,zone,5.00,publish,,percent,,2027-01-01T05:00:00,,0,,[],[],,,,,,0.00,0.00,[],[],[]",
        "product_ids": "3,one,5.00,publish,,percent,,,,0,,[17],[],,,,,,0.00,0.00,[],[],[]",
        "free_shipping": "3,ship,5.00,publish,,percent,,,,0,,[],[],,,,1,,0.00,0.00,[],[],[]",
        "minimum_amount": "3,min,5.00,publish,,percent,,,,0,,[],[],,,,,,50.00,0.00,[],[],[]",
        "email_restrictions": '3,mail,5.00,publish,,percent,,,,0,,[],[],,,,,,0.00,0.00,"[""*@example.com""]",[],[]',
        "meta_data": '3,meta,5.00,publish,,percent,,,,0,,[],[],,,,,,0.00,0.00,[],[],"[{""id"":1}]"',
    },
)
WEBTOFFEE = (
    "post_title,post_excerpt,post_status,post_date,discount_type,coupon_amount,individual_use,product_ids,usage_count,"
    "usage_limit,usage_limit_per_user,limit_usage_to_x_items,date_expires,free_shipping,exclude_sale_items,minimum_amount,"
    "maximum_amount,customer_email",
    [
        "summer10,Summer,publish,2026-01-01,percent,10,yes,,99,100,1,0,2027-01-01,no,no,,,",
        "flat5,,publish,2026-01-01,fixed_cart,5,no,,7,7,,,,no,no,,,",
    ],
    {
        "discount_type": "prod,,publish,,fixed_product,5,no,,,,,,,no,no,,,",
        "free_shipping": "ship,,publish,,percent,5,no,,,,,,,yes,no,,,",
        "product_ids": "one,,publish,,percent,5,no,17,,,,,,no,no,,,",
        "minimum_amount": "min,,publish,,percent,5,no,,,,,,,no,no,50.00,,",
        "customer_email": "mail,,publish,,percent,5,no,,,,,,,no,no,,,*@example.com",
        "post_title": "summer-10,,publish,,percent,5,no,,,,,,,no,no,,,",
    },
)
VOUCHERIFY = (
    "Code,Voucher Type,Value,Discount Type,Discount Effect,Validation Rules ID,Campaign,Active,Start Date,"
    "Expiration Date,Redemption Count,Redemption Limit,Additional Info",
    [
        "SUMMER10,DISCOUNT_VOUCHER,10,PERCENT,APPLY_TO_ORDER,,Summer,TRUE,2026-01-01T00:00:00.000Z,"
        "2027-01-01T00:00:00.000Z,99,100,",
        "FLAT5,DISCOUNT_VOUCHER,5,PERCENT,,,,TRUE,,,7,7,",
    ],
    {
        "Voucher Type": "GIFT1,GIFT_VOUCHER,10,PERCENT,,,,TRUE,,,,,",
        "Discount Type": "AMT10,DISCOUNT_VOUCHER,10,AMOUNT,,,,TRUE,,,,,",
        "Discount Effect": "ITEMS,DISCOUNT_VOUCHER,10,PERCENT,APPLY_TO_ITEMS,,,TRUE,,,,,",
        "Validation Rules ID": "RULES,DISCOUNT_VOUCHER,10,PERCENT,,val_17,,TRUE,,,,,",
    },
)
STRIPE = (
    "id,object,code,active,coupon.id,coupon.name,coupon.percent_off,coupon.amount_off,coupon.currency,coupon.duration,"
    "coupon.max_redemptions,coupon.redeem_by,created,customer,expires_at,max_redemptions,"
    "restrictions.first_time_transaction,restrictions.minimum_amount,times_redeemed",
    [
        "promo_1,promotion_code,SUMMER10,true,nVJYDOag,Summer,10,,,once,,,1678040164,,1798761600,100,false,,99",
        "promo_2,promotion_code,FLAT5,true,F,,,500,usd,once,,,1678040164,,,7,false,,7",
    ],
    {
        "coupon.currency": "promo_3,promotion_code,EURO5,true,E,,,500,eur,once,,,1,,,,false,,0",
        "coupon.duration": "promo_3,promotion_code,EVER,true,E,,10,,,forever,,,1,,,,false,,0",
        "coupon.max_redemptions": "promo_3,promotion_code,SHARED,true,E,,10,,,once,5,,1,,,,false,,0",
        "customer": "promo_3,promotion_code,ONLY1,true,E,,10,,,once,,,1,cus_1,,,false,,0",
        "restrictions.first_time_transaction": "promo_3,promotion_code,FIRST,true,E,,10,,,once,,,1,,,,true,,0",
        "restrictions.minimum_amount": "promo_3,promotion_code,MIN50,true,E,,10,,,once,,,1,,,,false,5000,0",
    },
)
# The object of the API since September 2025.
STRIPE_NOW = (
    "id,object,code,active,promotion.type,promotion.coupon.id,promotion.coupon.name,promotion.coupon.percent_off,"
    "promotion.coupon.amount_off,promotion.coupon.currency,promotion.coupon.duration,promotion.coupon.redeem_by,customer,"
    "expires_at,max_redemptions,restrictions.first_time_transaction,times_redeemed",
    [
        "promo_1,promotion_code,SUMMER10,true,coupon,nVJYDOag,Summer,10,,,once,,,1798761600,100,false,99",
        "promo_2,promotion_code,FLAT5,true,coupon,F,,,500,usd,once,,,,7,false,7",
    ],
    {
        "promotion.coupon.currency": "promo_3,promotion_code,EURO5,true,coupon,E,,,500,eur,once,,,,,false,0",
        "promotion.type": "promo_3,promotion_code,NEW,true,other,E,,10,,,once,,,,,false,0",
        "promotion.coupon.duration": "promo_3,promotion_code,EVER,true,coupon,E,,10,,,forever,,,,,false,0",
        "promotion.coupon.percent_off": "promo_3,promotion_code,A1H1Q1MG,true,coupon,E,,25.5,,,once,,,,,false,0",
    },
)
# The word after the name of a vendor tells two of its files apart.
VENDORS = {
    "shopify": SHOPIFY,
    "woocommerce": WOOCOMMERCE,
    "webtoffee": WEBTOFFEE,
    "voucherify": VOUCHERIFY,
    "stripe": STRIPE_NOW,
    "stripe earlier": STRIPE,
}


async def send(client: httpx.AsyncClient, tenant: Tenant, lines: list[str], **query: str) -> httpx.Response:
    headers = tenant.bearer | {"Content-Type": "text/csv"}
    return await client.post(
        URL, params=query, content="\n".join(lines).encode(errors="surrogateescape"), headers=headers
    )


async def codes_of(client: httpx.AsyncClient, tenant: Tenant) -> dict[str, dict[str, Any]]:
    listed = (await client.get(f"{ROOT}/promo-codes", headers=tenant.bearer)).json()["data"]
    codes = [(await client.get(f"{ROOT}/promo-codes/{each['id']}", headers=tenant.bearer)).json() for each in listed]
    return {each["name"].upper(): each for each in codes}


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_code_with_99_of_100_uses_gives_exactly_one_more(
    client: httpx.AsyncClient, tenant: Tenant, vendor: str
) -> None:
    header, lines, _ = VENDORS[vendor]
    answer = await send(client, tenant, [header, *lines], **{"from": vendor.partition(" ")[0]})
    assert status_and_body(answer) == (201, {"promoCodes": 2, "isDryRun": False})
    codes = await codes_of(client, tenant)
    summer, flat = codes["SUMMER10"], codes["FLAT5"]
    assert (summer["status"], summer["discountPercent"], summer["maxRedemptions"]) == ("Active", 10, 1)
    assert "99 of 100 uses before the import" in summer["notes"]
    assert summer["expiresAt"].startswith("2027-01-01T0")
    assert (flat["status"], flat["maxRedemptions"]) == ("Archived", 7)
    assert flat.get("flatDiscount", flat.get("discountPercent")) == 5
    assert summer["emailAddresses"] == (["ada@example.com", "P@example.com"] if vendor == "woocommerce" else [])

    redemption = await create_redemption(client, tenant, "SUMMER10", "RSV-1")
    assert redemption["discount"] == 10
    refusal = await redeem(client, tenant, "SUMMER10", "RSV-2", candidate=candidate("P-2"))
    assert reasons(refusal) == [("/code", "UsedUp")]
    refusal = await redeem(client, tenant, "FLAT5", "RSV-3")
    assert reasons(refusal) == [("/code", "Archived")]


async def test_the_codes_of_a_shopify_discount_without_a_limit_are_imported(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    header, _, bad_lines = SHOPIFY
    line = bad_lines["Total Used Count"].replace(",9,", ",,")
    answer = await send(client, tenant, [header, line], **{"from": "shopify"})
    assert status_and_body(answer) == (201, {"promoCodes": 1, "isDryRun": False})
    assert "maxRedemptions" not in (await codes_of(client, tenant))["SHARED"]


@pytest.mark.parametrize("vendor", VENDORS)
async def test_whatever_a_promo_code_cannot_carry_is_named_line_by_line(
    client: httpx.AsyncClient, tenant: Tenant, vendor: str
) -> None:
    header, lines, bad_lines = VENDORS[vendor]
    answer = await send(client, tenant, [header, lines[0], *bad_lines.values()], **{"from": vendor.partition(" ")[0]})
    expected = [f"/{number}/{column}" for number, column in enumerate(bad_lines, start=3)]
    assert [error["pointer"] for error in answer.json()["errors"]] == expected
    assert await codes_of(client, tenant) == {}


async def test_a_column_that_the_documentation_does_not_name_is_refused_if_it_has_a_value(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    lines = ["post_title,discount_type,coupon_amount,meta:_wt_limit", "one,percent,5,", "two,percent,5,7"]
    answer = await send(client, tenant, lines, **{"from": "webtoffee"})
    (error,) = answer.json()["errors"]
    expected = "Line 3: meta:_wt_limit has no counterpart here, and '7' would be lost."
    assert (error["code"], error["detail"]) == ("Unsupported", expected)
    renamed = [lines[0].replace("meta:_wt_limit", "metadata.limit"), *lines[1:]]
    assert (await send(client, tenant, renamed, **{"from": "webtoffee"})).status_code == 201
    codes = await codes_of(client, tenant)
    assert [codes[name]["metadata"] for name in ("ONE", "TWO")] == [{}, {"limit": "7"}]


async def test_an_invalid_amount_is_reported_at_its_own_column(client: httpx.AsyncClient, tenant: Tenant) -> None:
    line = "promo_1,promotion_code,ZERO,true,coupon,F,,,0,usd,once,,,,,false,0"
    answer = await send(client, tenant, [STRIPE_NOW[0], line], **{"from": "stripe"})
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/2/promotion.coupon.amount_off"]


async def test_the_report_of_a_file_with_unknown_columns_is_limited(client: httpx.AsyncClient, tenant: Tenant) -> None:
    titles = [f"x{number}" for number in range(100)]
    for cell in ("1", "\udcff"):
        lines = [f"code,{','.join(titles)}", f"SUMMER10{f',{cell}' * 100}"]
        errors = (await send(client, tenant, lines, **{"from": "stripe"})).json()["errors"]
        assert [error["pointer"] for error in errors] == [f"/2/{title}" for title in titles[:20]]
    for title in ("x" * 1000, f"metadata.{'x' * 1000}"):
        errors = (await send(client, tenant, [f"code,{title}", "SUMMER10,1"], **{"from": "stripe"})).json()["errors"]
        assert [(error["code"], len(error["detail"]) < 1000) for error in errors] == [("UnknownColumn", True)]


async def test_too_much_metadata_of_a_vendor_is_a_bad_line(client: httpx.AsyncClient, tenant: Tenant) -> None:
    header = f"{STRIPE[0]},{','.join(f'metadata.key{number}' for number in range(21))}"
    answer = await send(client, tenant, [header, f"{STRIPE[1][0]}{',x' * 21}"], **{"from": "stripe"})
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [("/2/metadata", "TooManyKeys")]


async def test_the_export_of_a_vendor_updates_nothing(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await send(client, tenant, [STRIPE[0], *STRIPE[1]], **{"from": "stripe", "update": "true"})
    words = "update is for files with the columns of an export from Tessera."
    assert status_and_body(answer) == invalid(("/update", "NotForVendors", words))


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_file_without_the_columns_of_a_vendor_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, vendor: str
) -> None:
    answer = await send(client, tenant, ["name,discountPercent", "ABC,5"], **{"from": vendor.partition(" ")[0]})
    assert [error["code"] for error in answer.json()["errors"]] == ["Required"]
