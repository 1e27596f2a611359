"""The rules of voucher programs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

from tessera.identity.rules import name_violations
from tessera.kit.errors import Violation
from tessera.kit.normalization import domain_key, store_names
from tessera.record_metadata import rules as metadata_rules

MAX_COST = Decimal("9999999999.99")
MAX_TIERS = 100
MAX_TIER_QUANTITY = 1000
MAX_EMAIL_DOMAINS = 1000
MAX_DAYS = 36_500
_PREFIX = re.compile(r"[A-Z0-9-]{0,20}", re.ASCII)
# The ASCII form of a domain, because the database compares domains byte by byte.
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tier:
    """A discount in percent for at least this quantity."""

    quantity: int
    percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramDraft:
    """A program to create, or the fields to change; None means absent, or invalid and listed in `parse_violations`."""

    name: str | None = None
    store_exam_codes: tuple[str, ...] | None = None
    cost_per_voucher: Decimal | None = None
    tiers: tuple[Tier, ...] | None = None
    is_available_to_all_partners: bool | None = None
    partner_ids: tuple[UUID, ...] | None = None
    can_assigned_partners_purchase_zero_price: bool | None = None
    email_domains: tuple[str, ...] | None = None
    enforce_assigned_email: bool | None = None
    voucher_code_prefix: str | None = None
    expiration_period_in_days: int | None = None
    allow_ach_payments: bool | None = None
    metadata: Mapping[str, str] | None = None
    is_active: bool | None = None
    parse_violations: tuple[Violation, ...] = ()

    def __post_init__(self) -> None:
        store_names(self, "name")


def violations(draft: ProgramDraft) -> Iterator[Violation]:
    """The violations of a draft that need no query."""
    yield from draft.parse_violations
    if draft.name is not None:
        yield from name_violations("name", draft.name)
    if draft.store_exam_codes == ():
        yield Violation("NoStoreExams", "store_exam_codes", "must contain at least one store exam code")
    if draft.cost_per_voucher is not None and not 0 <= draft.cost_per_voucher <= MAX_COST:
        yield Violation("CostRange", "cost_per_voucher", f"must be between 0 and {MAX_COST:,}")
    elif draft.cost_per_voucher is not None and draft.cost_per_voucher != round(draft.cost_per_voucher, 2):
        yield Violation("CostPrecision", "cost_per_voucher", "must have at most two decimals")
    yield from _tiers(draft.tiers or ())
    yield from _email_domains(draft.email_domains or ())
    if draft.voucher_code_prefix is not None and not _PREFIX.fullmatch(draft.voucher_code_prefix):
        yield Violation("InvalidPrefix", "voucher_code_prefix", "must have at most 20 characters of A-Z, 0-9 and '-'")
    days = draft.expiration_period_in_days
    if days is not None and not 1 <= days <= MAX_DAYS:
        yield Violation("ExpiryRange", "expiration_period_in_days", f"must be between 1 and {MAX_DAYS:,}")
    yield from metadata_rules.violations(draft.metadata)


def _tiers(tiers: Sequence[Tier]) -> Iterator[Violation]:
    if len(tiers) > MAX_TIERS:
        yield Violation("TooManyTiers", "tiers", f"must be at most {MAX_TIERS}")
        return
    for number, tier in enumerate(tiers):
        if not 1 <= tier.quantity <= MAX_TIER_QUANTITY:
            yield Violation("QuantityRange", f"tiers/{number}/quantity", f"must be between 1 and {MAX_TIER_QUANTITY:,}")
        if not 0 < tier.percent <= 100:
            yield Violation("PercentRange", f"tiers/{number}/percent", "must be above 0 and at most 100")
        elif tier.percent != round(tier.percent, 2):
            yield Violation("PercentPrecision", f"tiers/{number}/percent", "must have at most two decimals")
    yield from _tier_order(tiers)


def _tier_order(tiers: Sequence[Tier]) -> Iterator[Violation]:
    by_quantity = sorted(enumerate(tiers), key=lambda numbered: numbered[1].quantity)
    for (_, smaller), (number, larger) in pairwise(by_quantity):
        if smaller.quantity == larger.quantity:
            yield Violation(
                "QuantityRepeated", f"tiers/{number}/quantity", "must differ from the quantities of all other tiers"
            )
        elif larger.percent <= smaller.percent:
            message = f"must be larger than the {smaller.percent} of the smaller quantity {smaller.quantity}"
            yield Violation("PercentNotRising", f"tiers/{number}/percent", message)


def _email_domains(domains: Sequence[str]) -> Iterator[Violation]:
    if len(domains) > MAX_EMAIL_DOMAINS:
        yield Violation("TooManyEmailDomains", "email_domains", f"must be at most {MAX_EMAIL_DOMAINS:,}")
        return
    for number, domain in enumerate(domains):
        if len(domain) > 253 or not _DOMAIN.fullmatch(domain_key(domain)):
            message = "must be a domain such as example.com, without '@' or '*'"
            yield Violation("InvalidEmailDomain", f"email_domains/{number}", message)
