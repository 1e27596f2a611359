"""The documented rules of promo codes: which drafts are valid."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from tessera.audit.rules import Action
from tessera.identity.rules import PLATFORM_ID, is_email_address
from tessera.kit.control_characters import has_controls
from tessera.kit.editing import Move
from tessera.kit.errors import Violation
from tessera.kit.normalization import distinct, email_key, folded, stored_name
from tessera.record_metadata import rules as metadata_rules

NAME = re.compile(r"[A-Za-z0-9]*", re.ASCII)
MAX_EMAIL_ADDRESSES = 10_000
# The highest limit of uses in the public API document, and in the management API.
DOCUMENTED_LIMIT = 100_000
MAX_LIMIT = 1_000_000_000
MAX_CAMPAIGN_LENGTH = 100
MAX_FLAT_DISCOUNT = Decimal("9999999999.99")


class Kind(StrEnum):
    """The kind of discount."""

    PERCENT = "Percent"
    FLAT = "Flat"


class Status(StrEnum):
    """The status of a promo code; `Archived` is final."""

    INACTIVE = "Inactive"
    ACTIVE = "Active"
    ARCHIVED = "Archived"


MOVES: Mapping[str, Move] = {
    Status.ACTIVE: Move({Status.INACTIVE}, Action.ACTIVATED),
    Status.INACTIVE: Move({Status.ACTIVE}, Action.DEACTIVATED),
    Status.ARCHIVED: Move({Status.INACTIVE, Status.ACTIVE}, Action.ARCHIVED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoCodeTerms:
    """The discount of a promo code and the limits of its use, which drafts, codes and batches have in common."""

    discount_percent: int | None = None
    flat_discount: Decimal | None = None
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    max_redemptions: int | None = None
    max_redemptions_per_candidate: int | None = None
    max_redemptions_per_organization: int | None = None
    is_combinable: bool | None = None
    campaign: str | None = None
    metadata: Mapping[str, str] | None = None
    notes: str | None = None

    def __post_init__(self) -> None:
        """Store the campaign like a name; an empty one is none, and so are empty metadata."""
        object.__setattr__(self, "campaign", stored_name(self.campaign or "") or None)
        object.__setattr__(self, "metadata", self.metadata or None)

    @property
    def campaign_key(self) -> str | None:
        """The key by which campaigns are compared and grouped; codes without a campaign have none."""
        return folded(self.campaign) if self.campaign else None


TERMS = tuple(PromoCodeTerms.__dataclass_fields__)
TERM_COLUMNS = (*TERMS, "campaign_key")


def terms_of(source: PromoCodeTerms) -> dict[str, Any]:
    """The terms of a draft, a code or a batch by name."""
    return {name: getattr(source, name) for name in TERMS}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoCodeDraft(PromoCodeTerms):
    """A promo code to create, or the new state of an existing one.

    A field that could not be parsed is None and is listed in `parse_violations`; no rule reports it again.
    """

    name: str | None = None
    store_exam_codes: tuple[str, ...] | None = None
    product_bundle_ids: tuple[UUID, ...] | None = ()
    email_addresses: tuple[str, ...] | None = ()
    restrict_to_email_addresses: bool | None = False
    is_active: bool | None = False
    is_archived: bool = False
    parse_violations: tuple[Violation, ...] = ()


def violations(draft: PromoCodeDraft, *, now: datetime) -> Iterator[Violation]:
    """The violations of a draft that need no query (Certiverse Promo Code API, POST /promo-codes)."""
    yield from draft.parse_violations
    yield from _name(draft)
    yield from _store_exams(draft)
    yield from _limits(draft, highest=DOCUMENTED_LIMIT)
    yield from _email_addresses(draft)
    yield from _dates(draft, now=now)
    yield from _notes(draft)


def with_share(draft: PromoCodeDraft, *, owner_id: UUID) -> PromoCodeDraft:
    """The draft with the default share of each organization in a limited global code: half of its uses."""
    total = draft.max_redemptions
    if owner_id != PLATFORM_ID or total is None or draft.max_redemptions_per_organization is not None:
        return draft
    return replace(draft, max_redemptions_per_organization=(total + 1) // 2)


def managed_violations(
    draft: PromoCodeDraft, *, owner_id: UUID, now: datetime, kept_expiry: datetime | None = None
) -> Iterator[Violation]:
    """The violations, in a draft of a promo code of any kind, that need no query.

    An expiry in the past is valid if it is `kept_expiry`.
    """
    yield from draft.parse_violations
    if draft.max_redemptions_per_organization is not None and owner_id != PLATFORM_ID:
        message = "is for global codes, which only the platform has"
        yield Violation("NotGlobal", "max_redemptions_per_organization", message)
    yield from _name(draft)
    yield from _discount(draft)
    yield from _limits(draft, highest=MAX_LIMIT)
    yield from _email_addresses(draft)
    yield from _dates(draft, now=now, kept_expiry=kept_expiry)
    yield from _campaign(draft)
    yield from metadata_rules.violations(draft.metadata)
    yield from _notes(draft)


def edit_violations(draft: PromoCodeDraft, *, uses: int) -> Iterator[Violation]:
    """The violations of a draft that depend on the uses of the code that it changes, including holds."""
    if draft.max_redemptions is not None and draft.max_redemptions < uses:
        message = f"must be at least {uses:,}, the number of redeemed and held uses"
        yield Violation("LimitBelowUses", "max_redemptions", message)


def _dates(draft: PromoCodeDraft, *, now: datetime, kept_expiry: datetime | None = None) -> Iterator[Violation]:
    start, expiry = draft.starts_at, draft.expires_at
    if start is not None and expiry is not None and start >= expiry:
        yield Violation("StartNotBeforeExpiry", "starts_at", "must be before the expiry")
    if expiry is not None and expiry != kept_expiry and expiry <= now:
        yield Violation("ExpiryInPast", "expires_at", "must not be in the past")


def _campaign(draft: PromoCodeDraft) -> Iterator[Violation]:
    if draft.campaign is None:
        return
    if len(draft.campaign) > MAX_CAMPAIGN_LENGTH:
        yield Violation("CampaignTooLong", "campaign", f"must have at most {MAX_CAMPAIGN_LENGTH} characters")
    if has_controls(draft.campaign):
        yield Violation("ControlCharacters", "campaign", "must not contain control characters")


def _notes(draft: PromoCodeDraft) -> Iterator[Violation]:
    if draft.notes is not None and len(draft.notes) > 256:
        yield Violation("NotesTooLong", "notes", "must have at most 256 characters")


def _name(draft: PromoCodeDraft) -> Iterator[Violation]:
    if draft.name is None:
        return
    if not 3 <= len(draft.name) <= 25:
        yield Violation("NameLength", "name", "must have 3 to 25 characters")
    if not NAME.fullmatch(draft.name):
        yield Violation("NameNotAlphanumeric", "name", "must be alphanumeric (A-Z, a-z, 0-9)")


def _store_exams(draft: PromoCodeDraft) -> Iterator[Violation]:
    if draft.store_exam_codes == ():
        yield Violation("NoStoreExams", "store_exam_codes", "must contain at least one store exam code")


def _discount(draft: PromoCodeDraft) -> Iterator[Violation]:
    fields = {"discount_percent", "flat_discount"}
    present = {field for field in fields if getattr(draft, field) is not None}
    present |= fields & {violation.field for violation in draft.parse_violations}
    if len(present) != 1:
        yield Violation("OneDiscount", "discount_percent", "or a flat discount must be given, and not both of them")
    flat = draft.flat_discount
    if flat is not None and not (0 < flat <= MAX_FLAT_DISCOUNT and flat == round(flat, 2)):
        yield Violation("FlatDiscountRange", "flat_discount", "must be above 0, below 10 billion, and in whole cents")


def _limits(draft: PromoCodeDraft, *, highest: int) -> Iterator[Violation]:
    total = draft.max_redemptions
    if draft.discount_percent is not None and not 1 <= draft.discount_percent <= 100:
        yield Violation("DiscountPercentRange", "discount_percent", "must be between 1 and 100")
    parts = {
        "max_redemptions_per_candidate": draft.max_redemptions_per_candidate,
        "max_redemptions_per_organization": draft.max_redemptions_per_organization,
    }
    for field, limit in {"max_redemptions": total, **parts}.items():
        if limit is not None and not 1 <= limit <= highest:
            yield Violation("LimitRange", field, f"must be between 1 and {highest:,}")
    for field, limit in parts.items():
        if total is not None and limit is not None and limit > total:
            yield Violation("LimitAboveTotal", field, "must not exceed the limit in total")


def _email_addresses(draft: PromoCodeDraft) -> Iterator[Violation]:
    if draft.email_addresses is None:
        return
    addresses, field = distinct(draft.email_addresses, key=email_key), "email_addresses"
    if draft.restrict_to_email_addresses and not addresses:
        yield Violation("EmailAddressesMissing", field, "must not be empty when the code is restricted to them")
    if len(addresses) > MAX_EMAIL_ADDRESSES:
        yield Violation("TooManyEmailAddresses", field, f"must have at most {MAX_EMAIL_ADDRESSES:,} addresses")
        return
    invalid = [address for address in addresses if not is_email_address(address)]
    if invalid:
        yield Violation("InvalidEmailAddress", field, f"must be valid e-mail addresses, not {some_of(invalid)}")


def some_of(values: list[str]) -> str:
    """The first ten values, 60 characters each, for a message."""
    text = ", ".join(f"'{value[:60]}'" for value in values[:10])
    return text if len(values) <= 10 else f"{text} and {len(values) - 10:,} more"


@dataclass(frozen=True, slots=True)
class Discount:
    """A discount, either in percent or as a flat amount in dollars."""

    percent: int | None
    flat: Decimal | None
