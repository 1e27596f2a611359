"""The presets: exports of Shopify (by Matrixify), WooCommerce, Voucherify and Stripe."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

from tessera.kit.imports import cells
from tessera.promo_codes.imports.presets.preset import (
    InvalidTerms,
    Preset,
    Values,
    addresses,
    choice,
    discount,
    instant,
    titles,
)


class Vendor(StrEnum):
    """A vendor whose export can be imported."""

    SHOPIFY = "shopify"
    WOOCOMMERCE = "woocommerce"
    VOUCHERIFY = "voucherify"
    STRIPE = "stripe"


NO = ("false", "no", "0")
NOTHING = ("0", "0.0", "0.00")


def _shopify(values: Values) -> dict[str, Any]:
    if values.get("limit") and values.get("total_uses") not in (None, values.get("uses")):
        raise InvalidTerms("total_uses", "differs from the uses of this code: the codes of a discount share its limit")
    kinds = {"percentage": "percent", "fixed amount": "flat"}
    combines = any(values.get(f"combines_with_{each}") for each in ("order", "product"))
    return discount(kinds, values.get("kind"), values.get("value")) | {
        "is_active": values.get("is_active", True),
        "is_combinable": combines,
        "max_redemptions_per_candidate": 1 if values.get("is_once_per_customer") else None,
    }


SHOPIFY = Preset(
    documentation="https://matrixify.app/documentation/discounts/",
    columns={
        "Code": ("name", str),
        "Title": ("campaign", str),
        "Type": ("type", choice({"amount off order": True, "amount off products": True})),
        "Method": ("method", choice({"code": True})),
        "Value Type": ("kind", str),
        "Value": ("value", cells.money),
        "Limit Total Times": ("limit", cells.whole_number),
        "Limit One Use Per Customer": ("is_once_per_customer", cells.flag),
        "Code Used Count": ("uses", cells.whole_number),
        "Total Used Count": ("total_uses", cells.whole_number),
        "Status": ("is_active", choice({"active": True, "scheduled": True, "expired": True})),
        "Starts At": ("starts_at", instant),
        "Ends At": ("expires_at", instant),
        "Combines with Order Discounts": ("combines_with_order", cells.flag),
        "Combines with Product Discounts": ("combines_with_product", cells.flag),
    },
    ignored=titles(
        "ID, Code Command, Combines with Shipping Discounts, Created At, Updated At, Summary, Row #, Top Row"
    ),
    harmless={
        "Command": ("new", "merge", "update", "replace"),
        "Minimum Requirement": ("none",),
        "Minimum Value": NOTHING,
        "Limit Uses Per Order": ("0", "1"),  # a code is used once for a reservation
        "Applies To: Type": ("all",),
        "Eligibility: Customer Type": ("all",),
        "Purchase Type": ("one-time purchase", "both"),
        "Purchase Type: Recurring Subscription Limit": NOTHING,
    },
    terms=_shopify,
)


def _woocommerce(values: Values) -> dict[str, Any]:
    allowed = values.get("email_addresses", ())
    return discount({"percent": "percent", "fixed_cart": "flat"}, values.get("kind"), values.get("value")) | {
        "is_active": values.get("is_active", True),
        "is_combinable": not values.get("is_individual", False),
        "email_addresses": allowed,
        "restrict_to_email_addresses": bool(allowed),
    }


WOOCOMMERCE = Preset(
    documentation="https://www.webtoffee.com/bulk-import-coupons-using-csv-file-coupon-data/",
    columns={
        "post_title": ("name", str),
        "post_excerpt": ("notes", str),
        "post_status": ("is_active", choice({"publish": True, "draft": False, "pending": False, "private": False})),
        "discount_type": ("kind", str),
        "coupon_amount": ("value", cells.money),
        "individual_use": ("is_individual", cells.flag),
        "usage_count": ("uses", cells.whole_number),
        "usage_limit": ("limit", cells.whole_number),
        "usage_limit_per_user": ("max_redemptions_per_candidate", cells.whole_number),
        "date_expires": ("expires_at", instant),
        "customer_email": ("email_addresses", addresses),
    },
    ignored=titles("ID, post_name, post_date, post_parent, menu_order"),
    harmless={
        "free_shipping": NO,
        "exclude_sale_items": NO,
        "minimum_amount": NOTHING,
        "maximum_amount": NOTHING,
        "limit_usage_to_x_items": NOTHING,
        "_wt_category_condition": ("or", "and"),
    },
    terms=_woocommerce,
)


def _voucherify(values: Values) -> dict[str, Any]:
    # The documentation does not say whether the amounts of a file are dollars or cents.
    terms = discount({"percent": "percent"}, values.get("kind"), values.get("value"))
    return terms | {"is_active": values.get("is_active", True)}


VOUCHERIFY = Preset(
    documentation="https://docs.voucherify.io/build/discount-code-import",
    columns={
        "Code": ("name", str),
        "Voucher Type": ("type", choice({"discount_voucher": True})),
        "Value": ("value", cells.money),
        "Discount Type": ("kind", str),
        "Active": ("is_active", cells.flag),
        "Campaign": ("campaign", str),
        "Start Date": ("starts_at", instant),
        "Expiration Date": ("expires_at", instant),
        "Redeemed Quantity": ("uses", cells.whole_number),  # in files to import
        "Redemption Count": ("uses", cells.whole_number),  # in exports
        "Redemption Limit": ("limit", cells.whole_number),
        "Additional Info": ("notes", str),
    },
    ignored=titles(
        "ID, Campaign ID, Creation Date, Last Update Date, QR Code, Barcode, Redeemed Amount, Category, Customer ID"
    ),
    harmless={"Discount Effect": ("apply_to_order",), "Is referral code?": NO},
    terms=_voucherify,
)


def _stripe(values: Values) -> dict[str, Any]:
    percent, cents = values.get("value"), values.get("cents")
    if cents is not None and values.get("currency") is None:
        raise InvalidTerms("currency", "is required for an amount")
    value = percent if cents is None else Decimal(cents) / 100
    terms = discount({"percent": "percent", "flat": "flat"}, "percent" if cents is None else "flat", value)
    deadlines: list[Any] = [each for name in ("expires_at", "redeem_by") if (each := values.get(name))]
    return terms | {"is_active": values.get("is_active", True), "expires_at": min(deadlines, default=None)}


STRIPE = Preset(
    documentation="https://docs.stripe.com/api/promotion_codes/object",
    columns={
        "code": ("name", str),
        "active": ("is_active", cells.flag),
        "max_redemptions": ("limit", cells.whole_number),
        "times_redeemed": ("uses", cells.whole_number),
        "expires_at": ("expires_at", instant),
        "coupon.name": ("campaign", str),
        "coupon.percent_off": ("value", cells.money),
        "coupon.amount_off": ("cents", cells.whole_number),
        "coupon.currency": ("currency", choice({"usd": "usd"})),
        "coupon.redeem_by": ("redeem_by", instant),
    },
    ignored=titles(
        "id, object, created, livemode, coupon.id, coupon.object, coupon.created, coupon.livemode,"
        " coupon.times_redeemed, coupon.valid, restrictions.minimum_amount_currency"
    ),
    harmless={
        "restrictions.first_time_transaction": NO,
        "restrictions.minimum_amount": NOTHING,
        "coupon.duration": ("once",),
    },
    terms=_stripe,
)

PRESETS: Mapping[Vendor, Preset] = {
    Vendor.SHOPIFY: SHOPIFY,
    Vendor.WOOCOMMERCE: WOOCOMMERCE,
    Vendor.VOUCHERIFY: VOUCHERIFY,
    Vendor.STRIPE: STRIPE,
}
