"""Handing out the vouchers of a purchase to a list of people."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from uuid import UUID

from tessera.kit import csv as csv_export
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid, NotFound, Violation
from tessera.kit.wire import wire_name
from tessera.vouchers import codes
from tessera.vouchers.issued.actions import rules as actions
from tessera.vouchers.issued.actions import service as vouchers
from tessera.vouchers.issued.actions.rules import AssignedVoucher, VoucherAction, VoucherCommand
from tessera.vouchers.issued.assignments import rules
from tessera.vouchers.issued.assignments.rules import Assignment
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.revealing import service as revealing

SOURCE = "assignments"


async def csv(work: UnitOfWork, purchase_id: UUID, *, reveals: bool, now: datetime) -> bytes:
    """A CSV file of the assigned vouchers of a purchase and their recipients; it includes archived vouchers.

    If it `reveals` the codes, the audit log says so; otherwise they are masked. Raises NotFound.
    """
    await purchases.get(work, purchase_id, now=now)
    assigned = await vouchers.list_assigned(work, purchase_id)
    if reveals:
        await revealing.record(work, SOURCE, {"purchase_id": purchase_id}, len(assigned), now=now)
    else:
        assigned = [each._replace(code=codes.mask(each.code)) for each in assigned]
    titles = [wire_name(name) for name in AssignedVoucher._fields]
    return await asyncio.to_thread(csv_export.lines, [titles, *assigned])


async def assign(
    work: UnitOfWork,
    purchase_id: UUID,
    addresses: Sequence[str],
    *,
    further: Sequence[UUID] = (),
    dry_run: bool = False,
    now: datetime,
) -> list[Assignment]:
    """Give each person a voucher of the purchase, in the order of the list; a person who has one keeps it.

    When the purchase has none left, vouchers of `further` purchases follow, in the order of these. Everybody gets a
    voucher, or nobody. Concurrent calls wait for each other. A dry run changes nothing. Raises NotFound, and Invalid
    with every bad address and every unknown further purchase, or if too few vouchers are left.
    """
    await purchases.get(work, purchase_id, now=now)
    # Checking thousands of addresses takes seconds, during which other requests must not wait.
    found = await asyncio.to_thread(lambda: list(rules.violations(addresses, further)))
    found += [each async for each in _unknown(work, further[: rules.MAX_FURTHER], now=now)]
    if found:
        raise Invalid(found)
    all_vouchers = await vouchers.lock_purchases(work, dict.fromkeys([purchase_id, *further]))
    assigned = list(rules.assign(addresses, all_vouchers, now=now))
    if missing := sum(voucher is None for _, voucher, _ in assigned):
        needed = sum(is_new for _, _, is_new in assigned)
        message = f"has {needed:,} people without a voucher, and {needed - missing:,} vouchers are left"
        raise Invalid([Violation("NotEnoughVouchers", "recipient_emails", message)])
    assignments = []
    changes = []
    for address, voucher, is_new in assigned:
        if voucher is None:
            continue
        command = VoucherCommand(action=VoucherAction.ASSIGN, recipient_email=address)
        after = actions.apply(voucher, command, now=now) if is_new else voucher
        assignments.append(Assignment(recipient_email=after.recipient_email or "", voucher=after, is_new=is_new))
        changes += [(voucher, after)] if is_new else []
    if not dry_run:
        await vouchers.write(work, VoucherAction.ASSIGN, changes, now=now)
    return assignments


async def _unknown(work: UnitOfWork, further: Sequence[UUID], *, now: datetime) -> AsyncIterator[Violation]:
    for number, purchase_id in enumerate(further):
        try:
            await purchases.get(work, purchase_id, now=now)
        except NotFound:
            yield Violation("NotFound", f"further_purchase_ids/{number}", "must be the id of a purchase")
