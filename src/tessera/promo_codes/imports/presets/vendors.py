"""The presets: exports of Shopify (by Matrixify), WooCommerce (its own, and by WebToffee), Voucherify and Stripe."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

from tessera.kit.imports import cells
from tessera.kit.imports.cells import Parser
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
    WEBTOFFEE = "webtoffee"
    VOUCHERIFY = "voucherify"
    STRIPE = "stripe"


NO = ("false", "no", "0")
NOTHING = ("0", "0.0", "0.00")
NONE = ("[]",)
FLAGS = {"1": True, "true": True, "0": False, "false": False}
STATUSES = {"publish": True, "draft": False, "pending": False, "private": False}  # of WordPress


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
    if values.get("local_expiry") and not values.get("expires_at"):
        raise InvalidTerms("local_expiry", "is in the time zone of the shop, and needs date_expires_gmt beside it")
    return _webtoffee(values)


WOOCOMMERCE = Preset(
    documentation="https://developer.woocommerce.com/docs/apis/rest-api/v2/coupons/",
    columns={
        "code": ("name", str),
        "description": ("notes", str),
        "status": ("is_active", choice(STATUSES)),
        "discount_type": ("kind", str),
        "amount": ("value", cells.money),
        "individual_use": ("is_individual", choice(FLAGS)),
        "usage_count": ("uses", cells.whole_number),
        "usage_limit": ("limit", cells.whole_number),
        "usage_limit_per_user": ("max_redemptions_per_candidate", cells.whole_number),
        "date_expires": ("local_expiry", str),
        "date_expires_gmt": ("expires_at", instant),
        "email_restrictions": ("email_addresses", addresses),
    },
    ignored=titles("id, date_created, date_created_gmt, date_modified, date_modified_gmt, used_by, _links"),
    harmless={
        "product_ids": NONE,
        "excluded_product_ids": NONE,
        "product_categories": NONE,
        "excluded_product_categories": NONE,
        "meta_data": NONE,
        "free_shipping": NO,
        "exclude_sale_items": NO,
        "minimum_amount": NOTHING,
        "maximum_amount": NOTHING,
        "limit_usage_to_x_items": NOTHING,
    },
    terms=_woocommerce,
)


def _webtoffee(values: Values) -> dict[str, Any]:
    allowed = values.get("email_addresses", ())
    return discount({"percent": "percent", "fixed_cart": "flat"}, values.get("kind"), values.get("value")) | {
        "is_active": values.get("is_active", True),
        "is_combinable": not values.get("is_individual", False),
        "email_addresses": allowed,
        "restrict_to_email_addresses": bool(allowed),
    }


WEBTOFFEE = Preset(
    documentation="https://www.webtoffee.com/bulk-import-coupons-using-csv-file-coupon-data/",
    columns={
        "post_title": ("name", str),
        "post_excerpt": ("notes", str),
        "post_status": ("is_active", choice(STATUSES)),
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
    terms=_webtoffee,
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


_COUPON: Mapping[str, tuple[str, Parser]] = {
    "name": ("campaign", str),
    "percent_off": ("value", cells.money),
    "amount_off": ("cents", cells.whole_number),
    "currency": ("currency", choice({"usd": "usd"})),
    "redeem_by": ("redeem_by", instant),
}
_OF_COUPONS = titles("id, object, created, livemode, times_redeemed, valid")
# The place of the coupon in versions of the API since September 2025, and before.
_COUPONS = ("promotion.coupon", "coupon")
STRIPE = Preset(
    documentation="https://docs.stripe.com/api/promotion_codes/object",
    columns={
        "code": ("name", str),
        "active": ("is_active", cells.flag),
        "max_redemptions": ("limit", cells.whole_number),
        "times_redeemed": ("uses", cells.whole_number),
        "expires_at": ("expires_at", instant),
        **{f"{coupon}.{title}": column for coupon in _COUPONS for title, column in _COUPON.items()},
    },
    ignored=(
        *titles("id, object, created, livemode, restrictions.minimum_amount_currency"),
        *(f"{coupon}.{title}" for coupon in _COUPONS for title in _OF_COUPONS),
    ),
    harmless={
        "promotion.type": ("coupon",),
        "restrictions.first_time_transaction": NO,
        "restrictions.minimum_amount": NOTHING,
        **{f"{coupon}.duration": ("once",) for coupon in _COUPONS},
    },
    terms=_stripe,
)

PRESETS: Mapping[Vendor, Preset] = {
    Vendor.SHOPIFY: SHOPIFY,
    Vendor.WOOCOMMERCE: WOOCOMMERCE,
    Vendor.WEBTOFFEE: WEBTOFFEE,
    Vendor.VOUCHERIFY: VOUCHERIFY,
    Vendor.STRIPE: STRIPE,
}
