"""Changing vouchers: assigning, switching, other expiry, archiving; one, or a thousand in a few statements."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Change
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, Violation, WrongState
from tessera.vouchers import codes
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.issued.actions import rules
from tessera.vouchers.issued.actions.repository import ChangeRepository
from tessera.vouchers.issued.actions.rules import BulkDraft, VoucherAction, VoucherCommand, VoucherState
from tessera.vouchers.issued.service import Voucher, VoucherNotFound
from tessera.vouchers.totals import service as totals
from tessera.vouchers.totals.service import Counted

KIND = "Voucher"
ACTIONS = {
    VoucherAction.ASSIGN: "Assigned",
    VoucherAction.UNASSIGN: "Unassigned",
    VoucherAction.SWITCH_ON: "SwitchedOn",
    VoucherAction.SWITCH_OFF: "SwitchedOff",
    VoucherAction.CHANGE_EXPIRY: "ExpiryChanged",
    VoucherAction.ARCHIVE: "Archived",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one request: the voucher as it is now, if there is one, and why nothing was done, if so."""

    voucher: VoucherState | None
    refusal: Violation | None


async def change(work: UnitOfWork, target: Target, *, wish: VoucherCommand, now: datetime) -> Voucher:
    """Do one thing to one voucher; raises Invalid, VoucherNotFound, VersionStale, WrongState."""
    violations = list(rules.wish_violations(wish, now=now))
    if violations:
        raise Invalid(violations)
    repository = ChangeRepository(work)
    voucher = (await repository.lock([target.id])).get(target.id)
    if voucher is None:
        raise VoucherNotFound
    target.ensure(voucher.version)
    refusal = rules.refusal(voucher, wish, now=now)
    if refusal is not None:
        raise WrongState("voucher", refusal.code)
    await _write(work, wish.deed, [(voucher, rules.changed(voucher, wish, now=now))], now=now)
    return await vouchers.get(work, target.id)


async def change_all(work: UnitOfWork, draft: BulkDraft, *, now: datetime) -> list[Outcome]:
    """Do what can be done to many vouchers, and say of each what came of it, in their order; raises Invalid.

    However many there are, they are found, locked, written and recorded with one statement each.
    """
    violations = list(rules.bulk_violations(draft, now=now))
    if violations or draft.deed is None or draft.vouchers is None:
        raise Invalid(violations)
    repository = ChangeRepository(work)
    by_code = await repository.find_ids([choice.code for choice in draft.vouchers if choice.code is not None])
    ids = [choice.id or by_code.get(codes.spelled(choice.code or "")) for choice in draft.vouchers]
    found = await repository.lock({voucher_id for voucher_id in ids if voucher_id})
    wishes = [
        VoucherCommand(
            deed=draft.deed,
            recipient_email=choice.recipient_email or draft.recipient_email,
            expires_at=draft.expires_at,
        )
        for choice in draft.vouchers
    ]
    outcomes = list(_outcomes(wishes, ids, found, now=now))
    done = [each.voucher for each in outcomes if each.voucher is not None and each.refusal is None]
    await _write(work, draft.deed, [(found[after.id], after) for after in done], now=now)
    return outcomes


def _outcomes(
    wishes: Sequence[VoucherCommand], ids: Sequence[UUID | None], found: Mapping[UUID, VoucherState], *, now: datetime
) -> Iterator[Outcome]:
    seen: dict[UUID, VoucherState] = {}
    for wish, voucher_id in zip(wishes, ids, strict=True):
        voucher = found.get(voucher_id) if voucher_id else None
        if voucher is None:
            yield Outcome(voucher=None, refusal=Violation("NotFound", "voucher", "does not exist"))
        elif voucher.id in seen:
            repeated = Violation("Repeated", "voucher", "is named before in the same request")
            yield Outcome(voucher=seen[voucher.id], refusal=repeated)
        else:
            refusal = rules.refusal(voucher, wish, now=now)
            seen[voucher.id] = voucher if refusal else rules.changed(voucher, wish, now=now)
            yield Outcome(voucher=seen[voucher.id], refusal=refusal)


async def _write(
    work: UnitOfWork, deed: VoucherAction, changes: Sequence[tuple[VoucherState, VoucherState]], *, now: datetime
) -> None:
    if not changes:
        return
    await ChangeRepository(work).change_all([after for _, after in changes])
    recorded = [
        Change(action=ACTIONS[deed], kind=KIND, id=after.id, before=asdict(before), after=asdict(after))
        for before, after in changes
    ]
    await audit.record_all(work, recorded, now=now)
    await totals.change(work, [(after.partner_id, _counted(before), _counted(after)) for before, after in changes])


def _counted(voucher: VoucherState) -> Counted:
    return Counted(voucher.expires_at, is_used=voucher.is_used, is_archived=voucher.is_archived)
