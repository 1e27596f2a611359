"""The promo codes of a demonstration organization: the examples of the source documents, and many generated ones."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from tessera.catalog.service import NewStoreExam
from tessera.demo.organizations import EXAMPLE_ID, METADATA, PRODUCT_BUNDLE_ID, DemoOrganization
from tessera.kit.identifiers import new_id
from tessera.promo_codes.rules import Status
from tessera.promo_codes.service import NewPromoCode

# Promo codes and vouchers for the sample storefront, one for each result that it can show.
SAMPLES = (
    ("WELCOME", "takes a percentage off"),
    ("PER10", "takes $10 off"),
    ("GLOBAL5", "works in every organization"),
    ("SPRING-UNUSED", "is a voucher that pays the full price"),
    ("MEMBERS", "is restricted to ada@example.com"),
    ("ONEEACH", "can be used once by each candidate"),
    ("LASTONE", "is used up"),
    ("ONHOLD", "is on hold for another candidate"),
    ("SPRING-RESERVED", "is a voucher that is already used"),
    ("NEXTMONTH", "can be used in a month"),
    ("STACK20", "can be combined with STACK10"),
    ("STACK10", "can be combined with STACK20"),
    ("NEVERMORE", "fails for several reasons"),
)


def promo_codes(organization: DemoOrganization, exams: list[NewStoreExam], *, now: datetime) -> Iterator[NewPromoCode]:
    """The examples first, then the generated codes."""
    yield from _examples(organization, exams, now=now)
    statuses = (Status.ACTIVE, Status.ACTIVE, Status.INACTIVE, Status.ARCHIVED)
    for number in range(1, organization.promo_codes + 1):
        is_restricted = number % 10 == 0
        addresses = (f"candidate{number}@example.com", f"candidate{number + 1}@example.com") if is_restricted else ()
        yield NewPromoCode(
            id=EXAMPLE_ID if number == 1 else new_id(),
            name=f"DEMO{number:05}",
            campaign=f"Demonstration {number % 4}" if number % 4 else None,
            metadata=METADATA if number == 1 else {"channel": "fair"} if number % 5 == 0 else None,
            status=statuses[number % len(statuses)],
            discount_percent=number % 100 + 1,
            expires_at=now + timedelta(days=365 + number % 30),
            max_redemptions=number % 1000 + 1,
            max_redemptions_per_candidate=1 if number % 3 == 0 else None,
            notes=f"Demonstration code {number}" if number % 5 == 0 else None,
            restrict_to_email_addresses=is_restricted,
            email_addresses=addresses,
            store_exam_ids=tuple(exam.id for exam in exams[: number % len(exams) + 1]),
        )


def global_promo_codes() -> Iterator[NewPromoCode]:
    """Codes of the platform, which storefronts of all organizations accept."""
    yield NewPromoCode(id=new_id(), name="GLOBAL5", status=Status.ACTIVE, discount_percent=5)
    # Both organizations have their own WELCOME, which takes precedence.
    yield NewPromoCode(id=new_id(), name="WELCOME", status=Status.ACTIVE, discount_percent=1)


def _examples(organization: DemoOrganization, exams: list[NewStoreExam], *, now: datetime) -> Iterator[NewPromoCode]:
    yesterday, all_exam_ids = now - timedelta(days=1), tuple(exam.id for exam in exams)

    def percent(name: str, value: int, status: Status = Status.ACTIVE) -> NewPromoCode:
        return NewPromoCode(
            id=new_id(),
            name=name,
            status=status,
            discount_percent=value,
            expires_at=now + timedelta(days=365),
            max_redemptions=500,
            store_exam_ids=all_exam_ids,
        )

    yield NewPromoCode(id=new_id(), name="PER10", status=Status.ACTIVE, flat_discount=Decimal("10.00"))
    yield NewPromoCode(id=new_id(), name="PER15", status=Status.ACTIVE, discount_percent=15)
    yield replace(percent("WELCOME", organization.welcome_percent), campaign="Welcome")
    yield percent("DORMANT", 30, Status.INACTIVE)
    yield percent("RETIRED", 30, Status.ARCHIVED)
    yield replace(percent("BYGONE", 30), expires_at=yesterday)
    # Percentage codes for an exam in the bundle and for an exam outside of it, and a flat code for the bundle itself.
    yield replace(percent("EXAMINSIDE", 20), max_redemptions=100, store_exam_ids=all_exam_ids[:1])
    yield replace(percent("EXAMOUTSIDE", 20), max_redemptions=100, store_exam_ids=all_exam_ids[-1:])
    yield NewPromoCode(
        id=new_id(),
        name="BUNDLE50",
        status=Status.ACTIVE,
        flat_discount=Decimal("49.50"),
        product_bundle_ids=(PRODUCT_BUNDLE_ID,),
    )
    # For the storefront: a code whose only use is redeemed, one whose only use is on hold, and limits per candidate.
    yield replace(percent("LASTONE", 40), max_redemptions=1)
    yield replace(percent("ONHOLD", 40), max_redemptions=1)
    yield replace(percent("ONEEACH", 25), max_redemptions_per_candidate=1)
    yield replace(percent("NEXTMONTH", 35), starts_at=(now + timedelta(days=30)).replace(microsecond=0))
    yield replace(percent("STACK20", 20), is_combinable=True)
    yield replace(percent("STACK10", 10), is_combinable=True)
    members = ("ada@example.com", "grace@example.com")
    yield replace(percent("MEMBERS", 50), restrict_to_email_addresses=True, email_addresses=members)
    nevermore = percent("NEVERMORE", 30, Status.INACTIVE)
    yield replace(nevermore, expires_at=yesterday, store_exam_ids=all_exam_ids[-1:])
