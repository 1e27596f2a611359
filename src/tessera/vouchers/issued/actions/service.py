"""Actions on vouchers: one voucher, or up to a thousand in a fixed number of statements."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.editing import Editable
from tessera.audit.rules import Change
from tessera.kit.db.bulk_insert import row_of
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, Violation, WrongState
from tessera.vouchers import codes
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.issued.actions import rules
from tessera.vouchers.issued.actions.repository import VoucherActionRepository
from tessera.vouchers.issued.actions.rules import (
    AssignedVoucher,
    BulkDraft,
    VoucherAction,
    VoucherCommand,
    VoucherState,
)
from tessera.vouchers.issued.service import Voucher
from tessera.vouchers.totals import service as totals
from tessera.vouchers.totals.service import CountedState

_VOUCHERS: Editable[VoucherState] = Editable(kind="Voucher", noun="voucher")
_AUDIT_ACTIONS = {
    VoucherAction.ASSIGN: "Assigned",
    VoucherAction.UNASSIGN: "Unassigned",
    VoucherAction.SWITCH_ON: "SwitchedOn",
    VoucherAction.SWITCH_OFF: "SwitchedOff",
    VoucherAction.CHANGE_EXPIRY: "ExpiryChanged",
    VoucherAction.ARCHIVE: "Archived",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result for one voucher: its state, None if it does not exist, and the reason if the action is not allowed."""

    voucher: VoucherState | None
    refusal: Violation | None


async def change(work: UnitOfWork, target: Target, *, command: VoucherCommand, now: datetime) -> Voucher:
    """Apply a command to one voucher; raises Invalid, NotFound, VersionStale, WrongState."""
    violations = list(rules.command_violations(command, now=now))
    if violations:
        raise Invalid(violations)
    repository = VoucherActionRepository(work)
    voucher = _VOUCHERS.require_current((await repository.lock([target.id])).get(target.id), target)
    refusal = rules.refusal(voucher, command, now=now)
    if refusal is not None:
        raise WrongState("voucher", refusal.code)
    await write(work, command.action, [(voucher, rules.apply(voucher, command, now=now))], now=now)
    return await vouchers.get(work, target.id)


async def change_all(work: UnitOfWork, draft: BulkDraft, *, now: datetime) -> list[Outcome]:
    """Apply an action to every voucher that allows it; returns the outcomes in request order. Raises Invalid.

    The number of statements does not depend on the number of vouchers.
    """
    violations = list(rules.bulk_violations(draft, now=now))
    if violations or draft.action is None or draft.vouchers is None:
        raise Invalid(violations)
    repository = VoucherActionRepository(work)
    by_code = await repository.find_ids([ref.code for ref in draft.vouchers if ref.code is not None])
    ids = [ref.id or by_code.get(codes.stored_code(ref.code or "")) for ref in draft.vouchers]
    vouchers_by_id = await repository.lock({voucher_id for voucher_id in ids if voucher_id})
    commands = [
        VoucherCommand(
            action=draft.action,
            recipient_email=ref.recipient_email or draft.recipient_email,
            expires_at=draft.expires_at,
        )
        for ref in draft.vouchers
    ]
    outcomes = list(_outcomes(commands, ids, vouchers_by_id, now=now))
    new_states = [each.voucher for each in outcomes if each.voucher is not None and each.refusal is None]
    await write(work, draft.action, [(vouchers_by_id[after.id], after) for after in new_states], now=now)
    return outcomes


def _outcomes(
    commands: Sequence[VoucherCommand],
    ids: Sequence[UUID | None],
    vouchers_by_id: Mapping[UUID, VoucherState],
    *,
    now: datetime,
) -> Iterator[Outcome]:
    new_states: dict[UUID, VoucherState] = {}
    for command, voucher_id in zip(commands, ids, strict=True):
        voucher = vouchers_by_id.get(voucher_id) if voucher_id else None
        if voucher is None:
            yield Outcome(voucher=None, refusal=Violation("NotFound", "voucher", "does not exist"))
        elif voucher.id in new_states:
            refusal = Violation("Repeated", "voucher", "appears earlier in the same request")
            yield Outcome(voucher=new_states[voucher.id], refusal=refusal)
        else:
            reason = rules.refusal(voucher, command, now=now)
            new_states[voucher.id] = voucher if reason else rules.apply(voucher, command, now=now)
            yield Outcome(voucher=new_states[voucher.id], refusal=reason)


async def lock_purchases(work: UnitOfWork, purchase_ids: Iterable[UUID]) -> list[VoucherState]:
    """The vouchers of purchases, locked FOR UPDATE: in the order of the purchases, oldest first in each."""
    repository = VoucherActionRepository(work)
    ids = [each for purchase_id in purchase_ids for each in await repository.list_ids(purchase_id)]
    locked = await repository.lock(ids)
    return [locked[each] for each in ids if each in locked]


async def list_assigned(work: UnitOfWork, purchase_id: UUID) -> Sequence[AssignedVoucher]:
    """The vouchers of a purchase that have a recipient, oldest first."""
    return await VoucherActionRepository(work).list_assigned(purchase_id)


async def write(
    work: UnitOfWork, action: VoucherAction, changes: Sequence[tuple[VoucherState, VoucherState]], *, now: datetime
) -> None:
    """Write new states of locked vouchers after an action, each with an entry in the audit log."""
    if not changes:
        return
    entries = [
        Change(
            action=_AUDIT_ACTIONS[action],
            kind=_VOUCHERS.kind,
            id=after.id,
            before=row_of(before) | masked,
            after=row_of(after) | masked,
        )
        for before, after in changes
        for masked in [{"code": codes.mask(after.code)}]
    ]
    # While the database writes thousands of vouchers, their entries are converted.
    prepared, _ = await asyncio.gather(
        audit.prepare(work, entries, now=now),
        VoucherActionRepository(work).change_all([after for _, after in changes]),
    )
    await audit.record_prepared(work, prepared)
    await totals.change(
        work, [(after.partner_id, _counted_state(before), _counted_state(after)) for before, after in changes]
    )


def _counted_state(voucher: VoucherState) -> CountedState:
    return CountedState(voucher.expires_at, is_used=voucher.is_used, is_archived=voucher.is_archived)
