"""Changing vouchers: assigning, switching, other expiry, archiving; one, or a thousand in a few statements."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Change
from tessera.kit.database import UnitOfWork
from tessera.kit.errors import Invalid, Violation, WrongState
from tessera.kit.versions import Target
from tessera.vouchers import codes
from tessera.vouchers.changes import rules
from tessera.vouchers.changes.repository import ChangeRepository
from tessera.vouchers.changes.rules import Deed, VoucherState, Wish
from tessera.vouchers.vouchers import service as vouchers
from tessera.vouchers.vouchers.service import Voucher, VoucherNotFound

KIND = "Voucher"
ACTIONS = {
    Deed.ASSIGN: "Assigned",
    Deed.UNASSIGN: "Unassigned",
    Deed.SWITCH_ON: "SwitchedOn",
    Deed.SWITCH_OFF: "SwitchedOff",
    Deed.CHANGE_EXPIRY: "ExpiryChanged",
    Deed.ARCHIVE: "Archived",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for one of many vouchers, which is named by its id or its code."""

    id: UUID | None = None
    code: str | None = None
    wish: Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one request: the voucher as it is now, if there is one, and why nothing was done, if so."""

    voucher: VoucherState | None
    refusal: Violation | None


async def change(work: UnitOfWork, target: Target, *, wish: Wish, now: datetime) -> Voucher:
    """Do one thing to one voucher; raises VoucherNotFound, Invalid, WrongState, VersionStale."""
    _check_expiry(wish, now=now)
    repository = ChangeRepository(work)
    voucher = (await repository.lock([target.id])).get(target.id)
    if voucher is None:
        raise VoucherNotFound
    refusal = rules.refusal(voucher, wish, now=now)
    if refusal is not None:
        raise WrongState("voucher", refusal.code)
    target.ensure(voucher.version)
    await _write(work, [(wish, voucher, rules.changed(voucher, wish, now=now))], now=now)
    return await vouchers.get(work, target.id)


async def change_all(work: UnitOfWork, requests: Sequence[Request], *, now: datetime) -> list[Outcome]:
    """Do what can be done of many requests, and say of each what came of it, in their order; raises Invalid.

    However many there are, they are found, locked, written and recorded with one statement each.
    """
    for request in requests[:1]:
        _check_expiry(request.wish, now=now)
    repository = ChangeRepository(work)
    by_code = await repository.find_ids([request.code for request in requests if request.id is None and request.code])
    ids = [request.id or by_code.get(codes.spelled(request.code or "")) for request in requests]
    found = await repository.lock({voucher_id for voucher_id in ids if voucher_id})
    outcomes = list(_outcomes(requests, ids, found, now=now))
    done = [
        (request.wish, found[outcome.voucher.id], outcome.voucher)
        for request, outcome in zip(requests, outcomes, strict=True)
        if outcome.voucher is not None and outcome.refusal is None
    ]
    await _write(work, done, now=now)
    return outcomes


def _outcomes(
    requests: Sequence[Request], ids: Sequence[UUID | None], found: Mapping[UUID, VoucherState], *, now: datetime
) -> Iterator[Outcome]:
    seen: set[UUID] = set()
    for request, voucher_id in zip(requests, ids, strict=True):
        voucher = found.get(voucher_id) if voucher_id else None
        if voucher is None:
            yield Outcome(voucher=None, refusal=Violation("NotFound", "voucher", "does not exist"))
            continue
        refusal = rules.refusal(voucher, request.wish, now=now)
        if voucher.id in seen:
            refusal = Violation("Repeated", "voucher", "is named before in the same request")
        seen.add(voucher.id)
        now_is = voucher if refusal else rules.changed(voucher, request.wish, now=now)
        yield Outcome(voucher=now_is, refusal=refusal)


async def _write(
    work: UnitOfWork, changes: Sequence[tuple[Wish, VoucherState, VoucherState]], *, now: datetime
) -> None:
    if not changes:
        return
    await ChangeRepository(work).change_all([after for _, _, after in changes])
    recorded = [
        Change(action=ACTIONS[wish.deed], kind=KIND, id=after.id, before=_audited(before), after=_audited(after))
        for wish, before, after in changes
    ]
    await audit.record_all(work, recorded, now=now)


def _audited(voucher: VoucherState) -> dict[str, Any]:
    return asdict(voucher)


def _check_expiry(wish: Wish, *, now: datetime) -> None:
    if wish.deed is Deed.CHANGE_EXPIRY and wish.expires_at is not None and wish.expires_at <= now:
        raise Invalid([Violation("ExpiryInPast", "expires_at", "must not be in the past")])
