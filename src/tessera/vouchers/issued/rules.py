"""The rules for the use of a voucher."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tessera.codes.rules import Reason
from tessera.kit.errors import Violation
from tessera.kit.normalization import email_key


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherUsability:
    """The properties that decide whether a voucher can be used; `candidate_email` counts only with `has_candidate`."""

    is_active: bool
    is_archived: bool
    is_used: bool
    is_purchase_complete: bool
    held_until: datetime | None
    expires_at: datetime
    covers_product: bool
    enforce_assigned_email: bool
    recipient_email: str | None
    email_domains: tuple[str, ...]
    has_candidate: bool
    candidate_email: str | None


def unusable(voucher: VoucherUsability, *, now: datetime) -> Iterator[Violation]:
    """Every reason that prevents the use of a voucher at `now`."""
    yield from _standing(voucher)
    if voucher.is_used:
        yield Reason("Used", "code", "has been used", remaining=0)
    if is_held(voucher, now=now):
        yield Reason("Held", "code", "is held for another reservation", remaining=0, valid_from=voucher.held_until)
    if now >= voucher.expires_at:
        yield Reason("Expired", "code", "has expired")
    if not voucher.covers_product:
        yield Reason("NotCovered", "code", "does not apply to this product")
    if voucher.has_candidate:
        yield from _email(voucher)


def _standing(voucher: VoucherUsability) -> Iterator[Violation]:
    if not voucher.is_purchase_complete:
        yield Reason("PurchaseIncomplete", "code", "belongs to a purchase that is not complete")
    if not voucher.is_active:
        yield Reason("SwitchedOff", "code", "is switched off")
    if voucher.is_archived:
        yield Reason("Archived", "code", "is archived")


def remaining(voucher: VoucherUsability, *, now: datetime) -> int:
    """The number of uses that are left: none while the voucher is used or held."""
    return 0 if voucher.is_used or is_held(voucher, now=now) else 1


def is_held(voucher: VoucherUsability, *, now: datetime) -> bool:
    """Whether a reservation holds the voucher at `now`."""
    return voucher.held_until is not None and now < voucher.held_until


def _email(voucher: VoucherUsability) -> Iterator[Violation]:
    if not (voucher.enforce_assigned_email or voucher.email_domains):
        return
    if voucher.candidate_email is None:
        yield Reason("EmailRequired", "code", "is restricted to e-mail addresses, and the candidate has none")
        return
    email = email_key(voucher.candidate_email)
    if voucher.enforce_assigned_email and email != email_key(voucher.recipient_email or ""):
        yield Reason("EmailNotRecipient", "code", "is assigned to another e-mail address, or to none")
    # A domain does not include its subdomains.
    if voucher.email_domains and email.rpartition("@")[2] not in voucher.email_domains:
        yield Reason("EmailDomainNotAllowed", "code", "is restricted to other e-mail domains")
