"""The tags that group the operations in the OpenAPI document, in the order of the docs page."""

AUTHENTICATION = "Authentication"

TAGS = {
    AUTHENTICATION: "Exchanging a ClientId and its secret for a Bearer token.",
    "Certiverse Promo Code API": "Creating and listing your organization's promo codes.",
    "Certiverse Voucher Partner API": "Voucher partners, programs and purchases, and the vouchers themselves.",
    "CareValidate": "Validating a promo code at the moment of sale.",
    "Storefront": "Validating, holding and redeeming codes, with prices and reasons.",
    "Management: catalog": "The products of your organization: store exams and product bundles.",
    "Management: promo codes": "Promo codes of every kind, one at a time.",
    "Management: promo-code batches": "Many promo codes at once: from a pattern, and from a CSV file.",
    "Management: voucher partners": "The companies that buy vouchers, and their users.",
    "Management: voucher programs": "The offers to partners: exams, prices, discounts and rules.",
    "Management: voucher purchases": "Orders of partners, their checkout, and the creation of vouchers.",
    "Management: vouchers": "Single vouchers, and bulk actions on many of them.",
    "Management: metadata": "Texts that an integration attaches to records, and the records with such a text.",
    "Management: users": "The people of your organization, their rights, and their long-lived tokens.",
    "Management: clients and keys": "API clients with their secrets, and the API keys of storefronts.",
    "Management: exports": "CSV files of promo codes, vouchers and redemptions.",
    "Management: reports": "Redemptions, discounts and vouchers, summed up, as JSON and CSV.",
    "Management: persons": "The export of all records about one person, and their erasure.",
    "Management: audit": "The audit log: every change with its actor, time, and values before and after.",
    "Management: organizations": "The tenants, for administrators of the platform.",
    "Health": "For load balancers and monitors.",
}
_GROUPS = {"Management": "Management", "Storefront": "Storefront", "Health": "Operation"}


def group_of(tag: str) -> str:
    """The group of a tag: one of our own APIs, or the APIs of the source documents."""
    return _GROUPS.get(tag.partition(":")[0], "Source documents")
