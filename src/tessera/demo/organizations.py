"""The demonstration organizations and the products that both sell."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from tessera.catalog.service import NewProductBundle, NewStoreExam
from tessera.kit.identifiers import new_id

# The product bundle of the CareValidate document. Both organizations have one with this id: ids are unique per tenant.
PRODUCT_BUNDLE_ID = UUID("0aad00c1-9c18-4b7c-ac3c-67afffdfbc4e")
# The texts that the examples of the OpenAPI document search for.
METADATA = {"orderId": "ORD-1001", "costCenter": "4711"}
# The id in the examples of the OpenAPI document: one resource of each kind has it, so that the examples work.
EXAMPLE_ID = UUID("01906a6e-0000-7000-8000-000000000001")


@dataclass(frozen=True, slots=True)
class DemoOrganization:
    """A demonstration organization, with the values that differ between organizations."""

    name: str
    promo_codes: int
    welcome_percent: int
    bulk_purchases: int


ORGANIZATIONS = (
    # The first has several pages of records; the second has more than the 10,000 that a Certiverse list returns.
    DemoOrganization("Aurora Certification Board", promo_codes=3_000, welcome_percent=10, bulk_purchases=3),
    DemoOrganization("Borealis Certification Board", promo_codes=12_000, welcome_percent=20, bulk_purchases=12),
)

EXAMS = (
    ("NCA-GENL", "Generative AI Fundamentals", "135.00"),
    ("NCP-ADS", "Accelerated Data Science", "400.00"),
    ("NCP-AII", "AI Infrastructure", "250.00"),
    ("CLD-100", "Cloud Essentials", "99.50"),
    ("SEC-200", "Security Practice", "320.00"),
)


def store_exams() -> list[NewStoreExam]:
    """The exams of an organization; all but the first have new ids on each call."""
    ids = (EXAMPLE_ID, *(new_id() for _ in EXAMS[1:]))
    return [NewStoreExam(id_, code, name, Decimal(price)) for id_, (code, name, price) in zip(ids, EXAMS, strict=True)]


def product_bundle(exams: list[NewStoreExam]) -> NewProductBundle:
    """The bundle of the CareValidate document, with the first two exams."""
    exam_ids = tuple(exam.id for exam in exams[:2])
    return NewProductBundle(PRODUCT_BUNDLE_ID, "Starter Bundle", Decimal("480.00"), exam_ids)
