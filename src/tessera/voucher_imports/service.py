"""Imports of vouchers from elsewhere: a file adds all its vouchers with their history, or none."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import islice
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.rules import Change
from tessera.catalog import service as catalog
from tessera.catalog.service import Product
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Violation
from tessera.kit.identifiers import new_id
from tessera.kit.imports.refusals import BadLines
from tessera.kit.imports.rows import MAX_LINES, Row, Unreadable, read_rows
from tessera.kit.imports.steps import Source, collect
from tessera.kit.normalization import key_of
from tessera.promo_codes import drafts as promo_codes
from tessera.promo_codes.texts import service as texts
from tessera.redemptions.past import service as past
from tessera.reports import service as reports
from tessera.voucher_imports import cells, records, rules
from tessera.voucher_imports.records import Offer
from tessera.voucher_imports.rules import VoucherDraft
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.issued.service import NewVoucher
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.purchases.checkout import service as checkouts
from tessera.vouchers.purchases.checkout.rules import Order
from tessera.vouchers.purchases.rules import MAX_QUANTITY
from tessera.vouchers.totals import service as totals
from tessera.vouchers.totals.service import CountedState

KIND = "VoucherImport"
# The totals of an organization have a row for each day.
MAX_EXPIRY_DAYS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedVouchers:
    """The numbers of vouchers and of used ones in a file, and the ids of the purchases that now contain them."""

    vouchers: int
    used: int
    is_dry_run: bool
    voucher_purchase_ids: Sequence[UUID]


# A line, its voucher, and the violations that need no query; and a valid line with the exam of a used voucher.
_CheckedLine = tuple[int, VoucherDraft, list[Violation]]
_ValidLine = tuple[int, VoucherDraft, Product | None]


@dataclass(slots=True)
class _Import:
    """The state of an import: the partner and the program, the lines that are still unread, and the results so far."""

    offer: Offer
    rows: Iterator[Row]
    now: datetime
    bad: BadLines = field(default_factory=BadLines)
    codes: dict[str, int] = field(default_factory=dict)  # the line of each code
    reservations: set[str] = field(default_factory=set)
    expiry_days: set[date] = field(default_factory=set)
    count: int = 0
    used: int = 0
    days: set[date] = field(default_factory=set)
    states: Counter[CountedState] = field(default_factory=Counter)
    purchase_ids: list[UUID] = field(default_factory=list)


async def import_file(
    work: UnitOfWork,
    source: Source,
    order: Order,
    *,
    dry_run: bool,
    now: datetime,
) -> ImportedVouchers:
    """Import the vouchers of a CSV file as complete purchases of up to 1,000 each, or only check it with `dry_run`.

    Used vouchers get a reservation and a redemption at the time of their use, which counts and reports include. The
    import is one transaction, so a crash leaves all vouchers or none. Raises Invalid for a partner that cannot buy the
    program, and ImportRefused with the bad lines.
    """
    offer = Offer(*await checkouts.find_offer(work, order, now=now))
    with closing(read_rows(source.file, cells.FILE)) as rows:
        state = _Import(offer, rows, now)
        while lines := await collect(_next_lines(state)):
            source.on_guesses(len(lines))
            valid = await _look_up(work, state, lines)
            if not dry_run and not state.bad.count:
                await _add(work, state, valid)
            source.on_progress(source.file.tell())
    state.bad.raise_if_any()
    if not dry_run:
        await _finish(work, state, source)
    return ImportedVouchers(
        vouchers=state.count, used=state.used, is_dry_run=dry_run, voucher_purchase_ids=state.purchase_ids
    )


def _next_lines(state: _Import) -> Iterator[_CheckedLine]:
    """The next lines, as many as a purchase can have, each with the violations that need no query."""
    try:
        for row in islice(state.rows, MAX_QUANTITY):
            if state.count >= MAX_LINES:
                message = f"is one too many: a file has at most {MAX_LINES:,} vouchers"
                raise Unreadable(row.number, Violation("TooManyLines", "code", message))
            draft = VoucherDraft(**cells.parse(row.cells)) if row.cells else VoucherDraft()
            state.count += 1
            state.used += draft.was_used
            yield row.number, draft, [*row.violations, *_violations(state, row.number, draft)]
    except Unreadable as error:
        state.rows = iter(())
        state.bad.add(error.number, [error.violation])


def _violations(state: _Import, number: int, draft: VoucherDraft) -> list[Violation]:
    violations = list(rules.violations(draft, now=state.now))
    if draft.code is not None:
        if draft.stored_code in state.codes:
            violations.append(Violation("Repeated", "code", "must be unique, but an earlier line has it"))
        state.codes.setdefault(draft.stored_code, number)
    if draft.expires_at is not None:
        state.expiry_days.add(draft.expires_at.date())
        if len(state.expiry_days) > MAX_EXPIRY_DAYS:
            message = f"is one day too many: the vouchers of a file expire on at most {MAX_EXPIRY_DAYS:,} days"
            violations.append(Violation("TooManyDays", "expires_at", message))
    if draft.was_used:
        if draft.reservation in state.reservations:
            message = "must be unique, but an earlier line has it: a reservation has one voucher"
            violations.append(Violation("Repeated", "reservation_code", message))
        state.reservations.add(draft.reservation)
    return violations


async def _look_up(work: UnitOfWork, state: _Import, lines: Sequence[_CheckedLine]) -> list[_ValidLine]:
    """The valid lines, whose codes and reservations are unused and whose exams exist."""
    exam_codes = {code for _, draft, _ in lines if (code := state.offer.exam_code(draft))}
    exams = await catalog.find_past_store_exams(work, exam_codes) if exam_codes else {}
    taken = await _find_taken_codes(work, [draft.stored_code for _, draft, _ in lines])
    booked = await past.find_used_codes(work, [draft.reservation for _, draft, _ in lines if draft.was_used])
    valid: list[_ValidLine] = []
    for number, draft, own_violations in lines:
        code = state.offer.exam_code(draft)
        exam = exams.get(key_of(code)) if code else None
        violations = own_violations + taken.get(draft.stored_code, []) + _exam_violations(draft, code, exam)
        violations += [_booked(draft.reservation)] if draft.was_used and draft.reservation in booked else []
        if violations:
            state.bad.add(number, violations)
        else:
            valid.append((number, draft, exam))
    return valid


def _exam_violations(draft: VoucherDraft, code: str | None, exam: Product | None) -> list[Violation]:
    if code is not None and exam is None:
        return [Violation("StoreExamNotFound", "store_exam_code", f"names an unknown store exam: '{code[:60]}'")]
    if draft.was_used and exam is None:
        message = "is required for a used voucher, because the program has several exams"
        return [Violation("Required", "store_exam_code", message)]
    return []


def _booked(code: str) -> Violation:
    return Violation("ReservationTaken", "reservation_code", f"must be unique, and '{code[:60]}' is taken")


async def _find_taken_codes(work: UnitOfWork, codes: Sequence[str]) -> dict[str, list[Violation]]:
    taken = await promo_codes.find_taken_names(work, codes)
    found = {code: taken[key_of(code)] for code in codes if key_of(code) in taken}
    return {code: [_taken(each)] for code, each in found.items()}


def _taken(name: Violation) -> Violation:
    return replace(name, code="CodeTaken", field="code")


async def _add(work: UnitOfWork, state: _Import, lines: Sequence[_ValidLine]) -> None:
    used = sum(draft.was_used for _, draft, _ in lines)
    order = records.order(state.offer, quantity=len(lines), used=used, now=state.now)
    (purchase,) = await purchases.place(work, [order], now=state.now)
    new = [records.new_voucher(state.offer, draft, exam, purchase.id, now=state.now) for _, draft, exam in lines]
    added = await vouchers.add_untaken(work, new)
    if len(added) == len(new):
        await _add_uses(work, state, lines, new)
    else:
        # A concurrent transaction has taken a code since `_look_up`.
        taken = await _find_taken_codes(work, [each.code for each in new if each.id not in added])
        state.bad.add_all({number: taken.get(draft.stored_code, []) for number, draft, _ in lines})
    state.purchase_ids.append(purchase.id)
    state.states.update(map(records.counted, new))


async def _add_uses(work: UnitOfWork, state: _Import, lines: Sequence[_ValidLine], new: Sequence[NewVoucher]) -> None:
    used = {
        number: records.past_use(draft, voucher, exam)
        for (number, draft, exam), voucher in zip(lines, new, strict=True)
        if draft.was_used and exam is not None
    }
    if not used:
        return
    # A concurrent transaction may have taken a reservation since `_look_up`.
    booked = await past.add_all(work, list(used.values()))
    state.bad.add_all({n: [_booked(use.reservation_code)] for n, use in used.items() if use.reservation_code in booked})
    state.days.update(use.used_at.astimezone(UTC).date() for use in used.values())


async def _finish(work: UnitOfWork, state: _Import, source: Source) -> None:
    # What these lock stays locked until the transaction ends, so the slow one comes first. Other vouchers are issued in
    # the same order: first the prefix, then the totals, for which redemptions wait, too.
    prefix = state.offer.program.voucher_code_prefix
    if state.days:
        await reports.include_late(work, state.days)
    if with_prefix := sum(code.startswith(prefix) for code in state.codes):
        await vouchers.claim_codes(work, prefix, with_prefix)
    await totals.add_counts(work, state.offer.partner.id, state.states)
    await _refuse_promo_codes(work, state)
    after = {"vouchers": state.count, "used": state.used, "sha256": source.digest}
    await audit.record(work, Change(action="Imported", kind=KIND, id=new_id(), after=after), now=state.now)


async def _refuse_promo_codes(work: UnitOfWork, state: _Import) -> None:
    # A concurrent transaction may have added a promo code with one of these texts since `_add`.
    clashes = await texts.find_promo_codes_with(work, state.codes)
    for code, number in state.codes.items():
        if key_of(code) in clashes:
            state.bad.add(number, [_taken(promo_codes.name_taken(code, by_voucher=False))])
    state.bad.raise_if_any()
