"""Vouchers: single-use codes that each pay for one exam."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from tessera.codes.rules import looks_like_number_or_date
from tessera.kit.db.json_projection import JsonProjection
from tessera.kit.db.pages import CursorPage, JsonPage
from tessera.kit.db.records import record_of
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.errors import NotFound, TooManyResults
from tessera.vouchers import codes
from tessera.vouchers.issued.actions.repository import VoucherActionRepository
from tessera.vouchers.issued.lists.management.repository import ManagedVoucherListRepository
from tessera.vouchers.issued.lists.repository import VoucherFilter, VoucherListRepository
from tessera.vouchers.issued.repository import NewVoucher, VoucherRepository
from tessera.vouchers.rules import ReservationStatus
from tessera.vouchers.totals import service as totals
from tessera.vouchers.totals.service import CountedState

__all__ = ["NewVoucher", "VoucherFilter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The vouchers to issue for one purchase."""

    purchase_id: UUID
    partner_id: UUID
    prefix: str
    quantity: int
    valid_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """A voucher with its assignment, its latest reservation and its use."""

    id: UUID
    code: str
    purchase_id: UUID
    purchase_code: str
    partner_id: UUID
    is_active: bool
    is_used: bool
    expires_at: datetime
    assigned_at: datetime | None
    recipient_email: str | None
    reservation_code: str | None
    reservation_status: ReservationStatus | None
    store_exam_code: str | None
    used_at: datetime | None
    used_by_person_id: str | None
    used_by_client_candidate_id: str | None
    used_by_first_name: str | None
    used_by_last_name: str | None
    is_archived: bool
    metadata: Mapping[str, str] | None
    version: int

    @property
    def masked(self) -> "Voucher":
        """The voucher with its code masked, also in the reservation code of an import."""
        masked, reservation = codes.mask(self.code), self.reservation_code
        return replace(self, code=masked, reservation_code=reservation and reservation.replace(self.code, masked))


async def issue(work: UnitOfWork, batch: Batch, *, now: datetime) -> None:
    """Issue the vouchers of the batch, with unique codes, so that they expire `valid_days` after `now`."""
    vouchers = VoucherRepository(work)
    length = codes.random_length(await vouchers.count_code_space(batch.prefix) + batch.quantity)
    await _add(vouchers, batch, length=length, now=now)
    # The claim blocks other batches of the same prefix until this transaction ends, so the slow insert precedes it.
    # If other batches have committed in the meantime, codes of this length may be too easy to guess.
    required_length = codes.random_length(await vouchers.claim_code_space(batch.prefix, batch.quantity))
    if required_length > length:
        await vouchers.remove_batch(batch.purchase_id)
        await _add(vouchers, batch, length=required_length, now=now)
    state = CountedState(expiry(now, batch.valid_days))
    await totals.add_counts(work, batch.partner_id, {state: batch.quantity})


def expiry(now: datetime, valid_days: int) -> datetime:
    """The expiry of a voucher that is issued now."""
    # Whole seconds, as responses show it: an expiry that is read and sent back must be the same.
    return now.replace(microsecond=0) + timedelta(days=valid_days)


async def _add(vouchers: VoucherRepository, batch: Batch, *, length: int, now: datetime) -> None:
    missing = batch.quantity
    for _ in range(codes.MAX_ROUNDS):
        if not missing:
            return
        texts = [batch.prefix + text for text in codes.random_texts(missing, length=length)]
        missing -= await vouchers.add_batch(
            [text for text in texts if not looks_like_number_or_date(text)],
            purchase_id=batch.purchase_id,
            partner_id=batch.partner_id,
            expires_at=expiry(now, batch.valid_days),
        )
    raise codes.NoUnusedCode


async def list_pages(
    work: UnitOfWork, requests: Sequence[tuple[VoucherFilter, int]], *, projection: JsonProjection
) -> list[JsonPage | TooManyResults]:
    """Numbered pages of the vouchers visible to the caller, as JSON with fields of `Voucher`."""
    return await VoucherListRepository(work).list_pages(requests, projection=projection)


async def list_by_cursor(
    work: UnitOfWork,
    *,
    filters: VoucherFilter,
    search: str | None = None,
    newest: bool = False,
    after: str | None,
    size: int,
) -> CursorPage[Voucher]:
    """A page of the organization's vouchers.

    With `search`, it has those whose codes begin with this text, in the order of codes unless `newest` is set. Raises
    Invalid for a cursor of another list, and TooManyResults for more than 10,000 matches if they must be sorted: those
    of a search with filters or `newest`, and the newest of one recipient or exam.
    """
    vouchers = ManagedVoucherListRepository(work)
    page = await vouchers.list_by_cursor(filters, search=search, newest=newest, after=after, size=size)
    return page.map(_voucher)


async def get(work: UnitOfWork, voucher_id: UUID) -> Voucher:
    """The voucher with this id; raises NotFound."""
    row = await VoucherListRepository(work).find(voucher_id)
    if row is None:
        raise NotFound("There is no such voucher.")
    return _voucher(row)


async def find_id(work: UnitOfWork, code: str) -> UUID | None:
    """The id of the voucher with this code, ignoring case."""
    return await VoucherListRepository(work).find_id(code)


async def filter_codes(work: UnitOfWork, texts: Sequence[str]) -> frozenset[str]:
    """Those of these stored codes that vouchers have."""
    return frozenset(await VoucherActionRepository(work).find_ids(texts))


async def add_untaken(work: UnitOfWork, vouchers: Sequence[NewVoucher]) -> frozenset[UUID]:
    """Add those vouchers whose code is unused, without counting them; returns their ids."""
    return await VoucherRepository(work).add_untaken(vouchers)


async def claim_codes(work: UnitOfWork, prefix: str, quantity: int) -> None:
    """Count codes with a prefix that were issued elsewhere, so that new codes are as hard to guess as before."""
    await VoucherRepository(work).claim_code_space(prefix, quantity)


async def add_all(work: UnitOfWork, vouchers: Sequence[NewVoucher]) -> None:
    """Add vouchers in any state without checking them."""
    await VoucherRepository(work).add_all(vouchers)
    states = [
        (each.partner_id, CountedState(each.expires_at, is_used=each.used_at is not None, is_archived=each.is_archived))
        for each in vouchers
    ]
    await totals.add(work, states)


def _voucher(row: AnyRow) -> Voucher:
    return record_of(Voucher, row)
