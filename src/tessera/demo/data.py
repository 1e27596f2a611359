"""What the demonstration organizations hold: every example of the source documents, and one code for each answer."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from tessera.catalog.service import NewProductBundle, NewStoreExam
from tessera.kit.identifiers import new_id
from tessera.promo_codes.rules import Status
from tessera.promo_codes.service import NewPromoCode

# The product bundle of the CareValidate document. Both organizations have one of this id: ids are theirs alone.
PRODUCT_BUNDLE_ID = UUID("0aad00c1-9c18-4b7c-ac3c-67afffdfbc4e")


@dataclass(frozen=True, slots=True)
class DemoOrganization:
    """One demonstration organization; what has the same name in both has another value in each."""

    name: str
    promo_codes: int
    welcome_percent: int
    bulk_purchases: int


ORGANIZATIONS = (
    # Pages to walk, and more than 10,000 records: the refusal to see.
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

# Codes that show a storefront what there is to see.
SAMPLES = (
    ("WELCOME", "takes a percentage off"),
    ("PER10", "takes $10 off"),
    ("GLOBAL5", "is good everywhere"),
    ("SPRING-UNUSED", "is a voucher: it pays for all"),
    ("MEMBERS", "is for ada@example.com"),
    ("ONEEACH", "works once for each candidate"),
    ("LASTONE", "is used up"),
    ("ONHOLD", "is held by somebody"),
    ("SPRING-RESERVED", "is a voucher that has been used"),
    ("NEVERMORE", "breaks several rules"),
)


def store_exams() -> list[NewStoreExam]:
    """The exams on sale, new ids each time."""
    return [NewStoreExam(new_id(), code, name, Decimal(price)) for code, name, price in EXAMS]


def product_bundle(exams: list[NewStoreExam]) -> NewProductBundle:
    """The bundle of the CareValidate document, with the first two exams in it."""
    return NewProductBundle(PRODUCT_BUNDLE_ID, "Starter Bundle", Decimal("480.00"), tuple(e.id for e in exams[:2]))


def promo_codes(organization: DemoOrganization, exams: list[NewStoreExam], *, now: datetime) -> Iterator[NewPromoCode]:
    """The codes with a purpose first, then the many."""
    yield from _examples(organization, exams, now=now)
    statuses = (Status.ACTIVE, Status.ACTIVE, Status.INACTIVE, Status.ARCHIVED)
    for number in range(1, organization.promo_codes + 1):
        restricted = number % 10 == 0
        addresses = (f"candidate{number}@example.com", f"candidate{number + 1}@example.com") if restricted else ()
        yield NewPromoCode(
            id=new_id(),
            name=f"DEMO{number:05}",
            status=statuses[number % len(statuses)],
            discount_percent=number % 100 + 1,
            expires_at=now + timedelta(days=365 + number % 30),
            max_redemptions=number % 1000 + 1,
            max_redemptions_per_candidate=1 if number % 3 == 0 else None,
            notes=f"Demonstration code {number}" if number % 5 == 0 else None,
            restrict_to_email_addresses=restricted,
            email_addresses=addresses,
            store_exam_ids=tuple(exam.id for exam in exams[: number % len(exams) + 1]),
        )


def global_promo_codes() -> Iterator[NewPromoCode]:
    """Codes of the platform, which every organization's storefront accepts."""
    yield NewPromoCode(id=new_id(), name="GLOBAL5", status=Status.ACTIVE, discount_percent=5)
    # Both organizations have a WELCOME of their own, which wins.
    yield NewPromoCode(id=new_id(), name="WELCOME", status=Status.ACTIVE, discount_percent=1)


def _examples(organization: DemoOrganization, exams: list[NewStoreExam], *, now: datetime) -> Iterator[NewPromoCode]:
    next_year, yesterday = now + timedelta(days=365), now - timedelta(days=1)
    everything = tuple(exam.id for exam in exams)

    def percent(name: str, value: int, *, status: Status = Status.ACTIVE, ends: datetime = next_year) -> NewPromoCode:
        return NewPromoCode(
            id=new_id(),
            name=name,
            status=status,
            discount_percent=value,
            expires_at=ends,
            max_redemptions=500,
            store_exam_ids=everything,
        )

    yield NewPromoCode(id=new_id(), name="PER10", status=Status.ACTIVE, flat_discount=Decimal("10.00"))
    yield NewPromoCode(id=new_id(), name="PER15", status=Status.ACTIVE, discount_percent=15)
    yield percent("WELCOME", organization.welcome_percent)
    yield percent("DORMANT", 30, status=Status.INACTIVE)
    yield percent("RETIRED", 30, status=Status.ARCHIVED)
    yield percent("BYGONE", 30, ends=yesterday)
    # Percent codes on the exams inside the bundle, on an exam outside it, and on the bundle itself.
    yield _limited("EXAMINSIDE", 20, ends=next_year, exams=everything[:1])
    yield _limited("EXAMOUTSIDE", 20, ends=next_year, exams=everything[-1:])
    yield NewPromoCode(
        id=new_id(),
        name="BUNDLE50",
        status=Status.ACTIVE,
        flat_discount=Decimal("49.50"),
        product_bundle_ids=(PRODUCT_BUNDLE_ID,),
    )
    # For the storefront: a code whose only use is redeemed, one whose only use is held, and limits for each candidate.
    yield replace(percent("LASTONE", 40), max_redemptions=1)
    yield replace(percent("ONHOLD", 40), max_redemptions=1)
    yield replace(percent("ONEEACH", 25), max_redemptions_per_candidate=1)
    members = ("ada@example.com", "grace@example.com")
    yield replace(percent("MEMBERS", 50), restrict_to_email_addresses=True, email_addresses=members)
    yield replace(percent("NEVERMORE", 30, status=Status.INACTIVE, ends=yesterday), store_exam_ids=everything[-1:])


def _limited(name: str, value: int, *, ends: datetime, exams: tuple[UUID, ...]) -> NewPromoCode:
    return NewPromoCode(
        id=new_id(),
        name=name,
        status=Status.ACTIVE,
        discount_percent=value,
        expires_at=ends,
        max_redemptions=100,
        store_exam_ids=exams,
    )
