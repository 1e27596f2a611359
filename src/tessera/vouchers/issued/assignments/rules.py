"""The rules of handing out the vouchers of a purchase to a list of people."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tessera.identity.rules import is_email_address
from tessera.kit.errors import Violation
from tessera.kit.normalization import distinct, email_key
from tessera.vouchers.issued.actions.rules import VoucherState

MAX_PEOPLE = 10_000
# Enough for as many people, even if some purchases have few vouchers left.
MAX_FURTHER = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The voucher of a person; `is_new` says whether this request assigned it."""

    recipient_email: str
    voucher: VoucherState
    is_new: bool

    @property
    def masked(self) -> "Assignment":
        """The assignment with the code masked."""
        return replace(self, voucher=self.voucher.masked)


def read_addresses(lines: Iterable[bytes]) -> dict[int, str]:
    """The first cell of each line of a text or CSV file in UTF-8, by the number of the line.

    Empty lines and a first line without an address are skipped. Other bytes become an address that is not valid.
    """
    texts = (line.decode("utf-8-sig", errors="replace").strip() for line in lines)
    cells = [text.replace(";", ",").replace("\t", ",").partition(",")[0].strip(" '\"") for text in texts]
    has_titles = bool(cells) and "@" not in cells[0]
    return {number: cell for number, cell in enumerate(cells, start=1) if cell and not (number == 1 and has_titles)}


def violations(addresses: Sequence[str], further: Sequence[UUID] = ()) -> Iterator[Violation]:
    """The violations of a list of people and of further purchases that need no query.

    Each bad address is named by its position.
    """
    if len(further) > MAX_FURTHER:
        yield Violation("NumberOfPurchases", "further_purchase_ids", f"must be a list of at most {MAX_FURTHER} UUIDs")
    if not 1 <= len(addresses) <= MAX_PEOPLE:
        yield Violation("NumberOfPeople", "recipient_emails", f"must be a list of 1 to {MAX_PEOPLE:,} addresses")
        return
    for number, address in enumerate(addresses):
        if not is_email_address(address):
            yield Violation("NotEmail", f"recipient_emails/{number}", "must be a valid e-mail address")


def is_free(voucher: VoucherState, *, now: datetime) -> bool:
    """Whether a voucher can be handed out: usable, and nobody's."""
    is_held = voucher.held_until is not None and now < voucher.held_until
    is_usable = voucher.is_active and not (voucher.is_used or voucher.is_archived or is_held)
    return is_usable and voucher.recipient_email is None and now < voucher.expires_at


def assign(
    addresses: Sequence[str], vouchers: Sequence[VoucherState], *, now: datetime
) -> Iterator[tuple[str, VoucherState | None, bool]]:
    """Each person once, with a voucher, None if none is left, and whether it is new.

    A person who has a voucher of the purchase already, used or not, keeps it.
    """
    own: dict[str, VoucherState] = {}
    for voucher in vouchers:
        if voucher.recipient_email is not None and not voucher.is_archived:
            own.setdefault(email_key(voucher.recipient_email), voucher)
    free = (voucher for voucher in vouchers if is_free(voucher, now=now))
    for address in distinct(addresses, key=email_key):
        existing = own.get(email_key(address))
        yield (address, existing, False) if existing else (address, next(free, None), True)
