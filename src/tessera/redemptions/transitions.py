"""Changes of redemptions, written to their rows, the ledger and the counts of their codes in one transaction."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera.kit.db import failures
from tessera.kit.db.compiled_queries import Step, run_all, run_together
from tessera.kit.db.engine import STATEMENT_ERRORS
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import TransactionAborted
from tessera.promo_codes.uses import service as promo_codes
from tessera.promo_codes.uses.service import UseChange
from tessera.redemptions import rules
from tessera.redemptions.records import NewLedgerEntry, Redemption
from tessera.redemptions.repository import RedemptionRepository
from tessera.redemptions.reservations.repository import Reservation, ReservationRepository
from tessera.redemptions.rules import RedemptionStatus
from tessera.vouchers.issued.uses import service as vouchers
from tessera.vouchers.issued.uses.service import VoucherUse
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.totals import service as totals


@dataclass(frozen=True, slots=True)
class Change:
    """The new state of a redemption, its previous status (None for a new one), and the id of the caller."""

    redemption: Redemption
    before: RedemptionStatus | None
    caller_id: UUID | None

    @property
    def uses(self) -> tuple[int, int]:
        """The differences in the numbers of redeemed and held uses of the code."""
        after, before = rules.uses(self.redemption.status), rules.uses(self.before)
        return after[0] - before[0], after[1] - before[1]


def status_change(redemption: Redemption, status: RedemptionStatus, *, caller_id: UUID | None, now: datetime) -> Change:
    """The change of a redemption to another status."""
    after = replace(redemption, status=status, changes=redemption.changes + 1, updated_at=now)
    return Change(after, redemption.status, caller_id)


async def lock_codes(work: UnitOfWork, redemptions: Sequence[Redemption], *, now: datetime) -> None:
    """Lock the codes of these redemptions; by the lock order, the caller must have locked their reservations."""
    promo_code_ids = [each.promo_code_id for each in redemptions if each.promo_code_id is not None]
    voucher_ids = [each.voucher_id for each in redemptions if each.voucher_id is not None]
    if promo_code_ids:
        await promo_codes.lock(work, promo_code_ids, as_of=now)
    if voucher_ids:
        await vouchers.lock(work, ids=voucher_ids)


async def write(
    work: UnitOfWork, changes: Sequence[Change], *, reservations: Sequence[Reservation] = (), now: datetime
) -> None:
    """Write changes of redemptions whose reservations and codes are locked, and new reservations.

    Raises TransactionAborted if an import, which takes no locks, has just added one of the reservations, or if
    retention, which takes none either, has just dropped a reservation or a redemption.
    """
    if not changes:
        return
    repository = RedemptionRepository(work)
    new = [change.redemption for change in changes if change.before is None]
    new_ids = {each.id for each in new}
    updates = [change.redemption for change in changes if change.before is not None]
    # Updates come first, because a new redemption may replace a lapsed hold under the same unique index.
    if existing := [each for each in updates if each.id not in new_ids]:
        await repository.change(existing)
    await _add(work, new, changes, reservations=reservations, now=now)
    if redeemed_at_once := [each for each in updates if each.id in new_ids]:
        await repository.change(redeemed_at_once)
    of_vouchers = [change for change in changes if change.redemption.voucher_id is not None]
    if of_vouchers:
        await _write_vouchers(work, of_vouchers, now=now)
        await _count_vouchers(work, of_vouchers)


async def _add(
    work: UnitOfWork,
    new: Sequence[Redemption],
    changes: Sequence[Change],
    *,
    reservations: Sequence[Reservation],
    now: datetime,
) -> None:
    """Add new records and ledger entries, and count the uses of promo codes, in one round trip."""
    repository, steps = RedemptionRepository(work), list[Step[Any]]()
    if reservations:
        steps.append(ReservationRepository(work).addition(reservations))
    if new:
        steps.append(repository.addition(new))
    steps.append(repository.recording([_entry(change, now=now) for change in changes]))
    if uses := _promo_code_uses(changes):
        steps.append(promo_codes.counting_uses(work, uses))
    try:
        await run_all(work.connection, steps)
    except STATEMENT_ERRORS as error:
        if failures.is_missing_reference(error):
            raise TransactionAborted from error
        raise


async def add_past(work: UnitOfWork, redemptions: Sequence[Redemption]) -> None:
    """Add redemptions of vouchers that took place elsewhere, each with its ledger entry at its own time.

    The caller adds the reservations and the used vouchers, and counts them.
    """
    repository = RedemptionRepository(work)
    entries = [_entry(Change(each, None, None), now=each.created_at) for each in redemptions]
    await run_together(work.connection, repository.addition(redemptions), repository.recording(entries))


def _entry(change: Change, *, now: datetime) -> NewLedgerEntry:
    redemption, (redeemed, held) = change.redemption, change.uses
    return NewLedgerEntry(
        redemption_id=redemption.id,
        number=redemption.changes,
        status=redemption.status,
        redeemed_change=redeemed,
        held_change=held,
        promo_code_owner_id=redemption.promo_code_owner_id,
        promo_code_id=redemption.promo_code_id,
        voucher_id=redemption.voucher_id,
        purchase_id=redemption.purchase_id,
        partner_id=redemption.partner_id,
        code=redemption.code,
        store_exam_id=redemption.store_exam_id,
        product_bundle_id=redemption.product_bundle_id,
        discount=redemption.discount,
        caller_id=change.caller_id,
        at=now,
    )


async def _write_vouchers(work: UnitOfWork, changes: Sequence[Change], *, now: datetime) -> None:
    released, holds, uses = [], [], []
    for redemption in (change.redemption for change in changes):
        assert redemption.voucher_id is not None  # noqa: S101 - for the type checker
        match redemption.status:
            case RedemptionStatus.HELD:
                assert redemption.held_until is not None  # noqa: S101 - likewise
                holds.append((redemption.voucher_id, redemption.id, redemption.held_until))
            case RedemptionStatus.REDEEMED:
                uses.append(_use(redemption, now=now))
            case _:
                released.append(redemption.voucher_id)
    # Releases come first, because a new hold may replace a lapsed one in the same transaction.
    if released:
        await vouchers.release(work, released)
    if holds:
        await vouchers.hold(work, holds)
    if uses:
        await vouchers.use(work, uses)


def _use(redemption: Redemption, *, now: datetime) -> VoucherUse:
    assert redemption.voucher_id is not None  # noqa: S101 - for the type checker
    assert redemption.store_exam_id is not None, "a voucher pays for an exam"  # noqa: S101
    return VoucherUse(
        id=redemption.voucher_id,
        used_at=now,
        used_by_person_id=redemption.person_id,
        used_by_client_candidate_id=redemption.client_candidate_id,
        used_by_first_name=redemption.first_name,
        used_by_last_name=redemption.last_name,
        reservation_code=redemption.reservation_code,
        reservation_status=redemption.reservation_status,
        store_exam_id=redemption.store_exam_id,
    )


def _promo_code_uses(changes: Sequence[Change]) -> dict[UUID, UseChange]:
    redeemed: Counter[UUID] = Counter()
    held: Counter[UUID] = Counter()
    for change in changes:
        if change.redemption.promo_code_id is not None:
            redeemed[change.redemption.promo_code_id] += change.uses[0]
            held[change.redemption.promo_code_id] += change.uses[1]
    return {id_: UseChange(redeemed[id_], held[id_]) for id_ in redeemed if redeemed[id_] or held[id_]}


async def _count_vouchers(work: UnitOfWork, changes: Sequence[Change]) -> None:
    # The lock order is vouchers, purchases, totals.
    purchase_uses: Counter[UUID] = Counter()
    voucher_uses: Counter[UUID] = Counter()
    for change in changes:
        if change.redemption.purchase_id is not None:
            purchase_uses[change.redemption.purchase_id] += change.uses[0]
        if change.redemption.voucher_id is not None:
            voucher_uses[change.redemption.voucher_id] += change.uses[0]
    if purchase_changes := {id_: by for id_, by in purchase_uses.items() if by}:
        await purchases.count_uses(work, purchase_changes)
    if voucher_changes := {id_: by for id_, by in voucher_uses.items() if by}:
        await totals.count_uses(work, voucher_changes)
