"""The values of statuses, kinds and reasons with their meanings, for the OpenAPI document."""

from tessera.api.http.enumerations import Enumeration
from tessera.catalog.rules import Status as ProductStatus
from tessera.identity.rules import FunctionPoint
from tessera.kit.actors import ActorKind
from tessera.promo_codes.batches.rules import BatchStatus
from tessera.promo_codes.imports.presets.vendors import PRESETS, Vendor
from tessera.promo_codes.rules import Kind
from tessera.promo_codes.rules import Status as PromoCodeStatus
from tessera.record_metadata.rules import Kind as MetadataKind
from tessera.redemptions.rules import RedemptionStatus
from tessera.redemptions.validate import CodeKind
from tessera.reports.rules import Dimension
from tessera.vouchers.issued.actions.rules import VoucherAction
from tessera.vouchers.rules import PurchaseStatus, ReservationStatus, UserStatus
from tessera.vouchers.rules import Status as PartnerStatus

CODE_KIND = Enumeration(
    "CodeKind",
    "The kind of a code.",
    {
        CodeKind.PROMO_CODE: "A discount by name, which many candidates may be able to use.",
        CodeKind.VOUCHER: "A single-use code that pays for one exam.",
    },
)
VENDOR = Enumeration(
    "Vendor",
    "A vendor whose export of promo codes can be imported.",
    {
        Vendor.SHOPIFY: f"The Discounts sheet of Matrixify ({PRESETS[Vendor.SHOPIFY].documentation}).",
        Vendor.WOOCOMMERCE: (
            f"The properties of WooCommerce coupons ({PRESETS[Vendor.WOOCOMMERCE].documentation}), as"
            " `wp wc shop_coupon list --format=csv` writes them."
        ),
        Vendor.WEBTOFFEE: f"A plug-in for WooCommerce ({PRESETS[Vendor.WEBTOFFEE].documentation}).",
        Vendor.VOUCHERIFY: f"Discount coupons in percent ({PRESETS[Vendor.VOUCHERIFY].documentation}).",
        Vendor.STRIPE: (
            f"The attributes of promotion codes ({PRESETS[Vendor.STRIPE].documentation}), those of the coupon and the"
            " restrictions after dots, such as `promotion.coupon.percent_off` (earlier: `coupon.percent_off`)."
        ),
    },
)
REDEMPTION_STATUS = Enumeration(
    "RedemptionStatus",
    "The status of a redemption.",
    {
        RedemptionStatus.HELD: "The code is reserved until `heldUntil`, and counts as used until then.",
        RedemptionStatus.REDEEMED: "The code is used for the reservation.",
        RedemptionStatus.RELEASED: "The hold was given up before it was confirmed. The use is available again.",
        RedemptionStatus.EXPIRED: "The hold reached its deadline unconfirmed. The use is available again.",
        RedemptionStatus.CANCELLED: "The redemption was cancelled. The use is available again.",
    },
)
RESERVATION_STATUS = Enumeration(
    "ReservationStatus",
    "The status of a reservation.",
    {
        ReservationStatus.CREATED: "The exam is booked.",
        ReservationStatus.RESCHEDULED: "The booking was moved to another time.",
        ReservationStatus.COMPLETED: "The candidate has taken the exam.",
        ReservationStatus.NO_SHOW: "The candidate did not appear. The codes stay used.",
        ReservationStatus.CANCELLED: "The booking was cancelled. All uses of codes were returned.",
    },
)
REASON = Enumeration(
    "CodeReason",
    "The reason why a code cannot be used.",
    {
        "NotFound": "No such code exists.",
        "Inactive": "The promo code is inactive. An administrator can activate it.",
        "Archived": "The code is archived, which is permanent.",
        "NotStarted": "The promo code can be used from `validFrom` on.",
        "Expired": "The code has expired.",
        "UsedUp": "The promo code has no uses left. With `validFrom`, a hold ends at that time and may return a use.",
        "UsedUpForCandidate": "The candidate has no uses of the promo code left. `validFrom` is as for `UsedUp`.",
        "UsedUpForOrganization": "The organization has used its share of the global code. `validFrom` is as above.",
        "Used": "The voucher has been used.",
        "Held": "The voucher is held for another reservation, until `validFrom`.",
        "SwitchedOff": "The voucher is switched off.",
        "PurchaseIncomplete": "The voucher belongs to a purchase that is not complete.",
        "NotCovered": "The code does not apply to this exam or bundle.",
        "EmailRequired": "The code is restricted to email addresses, and the candidate has none.",
        "EmailNotListed": "The promo code is restricted to other email addresses.",
        "EmailNotRecipient": "The voucher is assigned to another email address, or to none.",
        "EmailDomainNotAllowed": "The voucher is restricted to other email domains.",
        "ReservationEnded": "The reservation is completed, cancelled or a no-show.",
        "ReservationDiffers": "The reservation has a code in use for another candidate or product.",
        "NotCombinable": "The code, or another one that the reservation uses, cannot be combined with others.",
        "NothingLeftToPay": "The product is free, or the other codes of the reservation pay the whole price.",
        "NoDiscount": "The discount of the code on this product is 0.",
    },
)
PROMO_CODE_STATUS = Enumeration(
    "PromoCodeStatus",
    "The status of a promo code. Expiry is a time, not a status.",
    {
        PromoCodeStatus.INACTIVE: "The code cannot be used until it is activated.",
        PromoCodeStatus.ACTIVE: "The code can be used within its limits.",
        PromoCodeStatus.ARCHIVED: "The code cannot be used any more. This is permanent, and the name stays taken.",
    },
)
PROMO_CODE_KIND = Enumeration(
    "PromoCodeKind",
    "The kind of discount of a promo code.",
    {Kind.PERCENT: "A percentage of the price.", Kind.FLAT: "An amount in dollars."},
)
BATCH_STATUS = Enumeration(
    "PromoCodeBatchStatus",
    "The status of a batch of promo codes.",
    {
        BatchStatus.IN_PROGRESS: "A worker is creating the codes.",
        BatchStatus.CANCELLED: "The batch was stopped. Its existing codes stay, and it can be resumed.",
        BatchStatus.EXHAUSTED: "The pattern has no unused names left. The batch can be resumed.",
        BatchStatus.COMPLETE: "All codes exist.",
    },
)
PRODUCT_STATUS = Enumeration(
    "ProductStatus",
    "The status of a store exam or a product bundle.",
    {
        ProductStatus.ACTIVE: "The product is on sale.",
        ProductStatus.ARCHIVED: "The product is no longer sold. It can be activated again.",
    },
)
PARTNER_STATUS = Enumeration(
    "VoucherPartnerStatus",
    "The status of a voucher partner or a voucher program.",
    {
        PartnerStatus.ACTIVE: "Vouchers can be purchased.",
        PartnerStatus.INACTIVE: "Vouchers cannot be purchased until it is activated.",
        PartnerStatus.ARCHIVED: "Vouchers can never be purchased again. This is permanent.",
    },
)
PARTNER_USER_STATUS = Enumeration(
    "VoucherPartnerUserStatus",
    "The status of a user of a voucher partner.",
    {
        UserStatus.INVITED: "The user was invited, and has not answered yet.",
        UserStatus.ACCEPTED: "The user has accepted, and waits for activation.",
        UserStatus.ACTIVE: "The user can call the API.",
        UserStatus.INACTIVE: "The user cannot call the API.",
    },
)
PURCHASE_STATUS = Enumeration(
    "VoucherPurchaseStatus",
    "The status of a voucher purchase.",
    {
        PurchaseStatus.CHECKOUT_IN_PROGRESS: "The payment is pending.",
        PurchaseStatus.CHECKOUT_CANCELLED: "The checkout was cancelled.",
        PurchaseStatus.CHECKOUT_EXPIRED: "The payment did not arrive before the deadline.",
        PurchaseStatus.CHECKOUT_FAILED: "The payment failed.",
        PurchaseStatus.VOUCHER_CREATION: "The purchase is paid or free, and its vouchers are being created.",
        PurchaseStatus.COMPLETE: "All vouchers exist.",
    },
)
VOUCHER_ACTION = Enumeration(
    "VoucherAction",
    "An action on vouchers.",
    {
        VoucherAction.ASSIGN: "Assign each voucher to a recipient.",
        VoucherAction.UNASSIGN: "Remove the recipient.",
        VoucherAction.SWITCH_ON: "Allow the use of the voucher again.",
        VoucherAction.SWITCH_OFF: "Prevent the use of the voucher.",
        VoucherAction.CHANGE_EXPIRY: "Set another time of expiry.",
        VoucherAction.ARCHIVE: "Archive the voucher, which is permanent.",
    },
)
VOUCHER_REFUSAL = Enumeration(
    "VoucherRefusal",
    "The reason why an action on a voucher failed.",
    {
        "NotFound": "No such voucher exists.",
        "Repeated": "The request names the voucher more than once; the action was executed once.",
        "Archived": "The voucher is archived.",
        "Used": "The voucher has been used.",
        "Held": "The voucher is held for a reservation.",
        "Expired": "The voucher has expired.",
    },
)
FUNCTION_POINT = Enumeration(
    "FunctionPoint",
    "A right of a user, an API client or an API key.",
    {
        FunctionPoint.PARTNER_MANAGE_PROMO_CODES: "Create and list promo codes through the Certiverse Promo Code API.",
        FunctionPoint.PARTNER_MANAGE_VOUCHERS: "Use the Certiverse Voucher Partner API.",
        FunctionPoint.PARTNER_ASSIGN_VOUCHERS: "Assign vouchers of purchases to people, and see who has which.",
        FunctionPoint.STOREFRONT_REDEEM: "Validate and redeem codes, and cancel redemptions of the same credential.",
        FunctionPoint.STOREFRONT_SUPPORT: "See and cancel all redemptions of the organization.",
        FunctionPoint.MANAGE_ORGANIZATION: "Use the management API.",
        FunctionPoint.MANAGE_PERSONS: (
            "Export all records about one person, and erase the person; with `ManageOrganization`, set the retention."
        ),
        FunctionPoint.SEE_VOUCHER_CODES: "Read whole voucher codes in the management API, which masks them for others.",
    },
)
ACTOR_KIND = Enumeration(
    "ActorKind",
    "The kind of actor of a change.",
    {
        ActorKind.USER: "A user, with a Bearer token.",
        ActorKind.API_CLIENT: "An API client, with a token for its ClientId.",
        ActorKind.API_KEY: "An API key of a storefront.",
        ActorKind.COMMAND_LINE: "A login on the machine, through the command line.",
        ActorKind.JOB: "A job of the installation itself.",
    },
)
METADATA_KIND = Enumeration(
    "MetadataKind",
    "The kind of record that metadata belong to.",
    {
        MetadataKind.PROMO_CODE: "A promo code.",
        MetadataKind.VOUCHER_PROGRAM: "A voucher program.",
        MetadataKind.VOUCHER_PURCHASE: "A voucher purchase.",
        MetadataKind.VOUCHER: "A voucher.",
        MetadataKind.REDEMPTION: "A redemption.",
    },
)
AUDITED_KIND = Enumeration(
    "AuditedKind",
    "The kind of resource that was changed.",
    {
        "ApiClient": "An API client.",
        "ApiKey": "An API key of a storefront.",
        "AuditEntry": "Audit entries that were dropped, with their number and the last of their seals.",
        "Organization": "An organization.",
        "Person": "A person whose records were exported or erased.",
        "ProductBundle": "A product bundle.",
        "PromoCode": "A promo code.",
        "PromoCodeBatch": "A batch of promo codes.",
        "PromoCodeCampaign": "A campaign whose promo codes were deactivated together.",
        "PromoCodeImport": "An import of promo codes from a file.",
        "Redemption": "A redemption whose metadata were changed.",
        "Retention": "The periods for which the organization keeps data.",
        "StoreExam": "A store exam.",
        "Token": "A long-lived Bearer token.",
        "User": "A user.",
        "Voucher": "A voucher.",
        "VoucherCodes": "Whole voucher codes that were read.",
        "VoucherImport": "An import of vouchers from a file.",
        "VoucherPartner": "A voucher partner.",
        "VoucherProgram": "A voucher program.",
        "VoucherPurchase": "A voucher purchase.",
    },
)
DIMENSION = Enumeration(
    "ReportDimension",
    "The dimension of the sums of a report.",
    {
        Dimension.DAY: "One sum for each UTC day.",
        Dimension.CODE: "One sum for each promo code or voucher.",
        Dimension.CAMPAIGN: "One sum for each campaign, from the promo codes that belong to it now.",
        Dimension.STORE_EXAM: "One sum for each store exam; bundles count among the exams.",
        Dimension.PARTNER: "One sum for each voucher partner; promo codes have none.",
    },
)
