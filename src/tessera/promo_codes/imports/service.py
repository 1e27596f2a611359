"""Imports of promo codes from CSV files; an import adds all codes, or none if any line has a violation."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.rules import Change as AuditedChange
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid, Violation
from tessera.kit.identifiers import new_id
from tessera.kit.imports.refusals import BadLines
from tessera.kit.imports.rows import MAX_LINES, Unreadable
from tessera.kit.imports.steps import Source, collect
from tessera.kit.normalization import key_of
from tessera.promo_codes import drafts, rules, service
from tessera.promo_codes.drafts import ResolvedReferences
from tessera.promo_codes.imports.changes import Change
from tessera.promo_codes.imports.parsing import Line, read_lines
from tessera.promo_codes.imports.presets import preset as presets
from tessera.promo_codes.imports.presets.vendors import PRESETS, Vendor
from tessera.promo_codes.management import service as management
from tessera.promo_codes.texts import service as texts

KIND = "PromoCodeImport"
LINES_PER_BATCH = 2000
# Redemptions of the changed codes wait until the import ends: about ten seconds for this number.
MAX_CHANGES = 2_000
# All addresses of a changed code are written again, and its addresses before and after are in memory until then.
MAX_CHANGED_ADDRESSES = 100_000
ADDRESSES_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The number of codes in a file, and of those that it changed, which is None for an import that changes none."""

    promo_codes: int
    is_dry_run: bool
    changed: int | None


# A line, and the violations that it has as a new code.
_CheckedLine = tuple[Line, list[Violation]]


@dataclass(slots=True)
class _Import:
    """The state of an import: the owner of the codes, the lines that are still unread, and the results so far."""

    owner_id: UUID
    lines: Iterator[Line]
    names: set[str] = field(default_factory=set)
    added: dict[str, int] = field(default_factory=dict)  # the lines of new codes, by name
    bad: BadLines = field(default_factory=BadLines)
    count: int = 0
    changes: list[Change] = field(default_factory=list)
    changed_addresses: int = 0


async def import_file(
    work: UnitOfWork,
    source: Source,
    *,
    dry_run: bool,
    update: bool = False,
    vendor: Vendor | None = None,
    now: datetime,
) -> Imported:
    """Import the promo codes of a CSV file, ours or the export of a vendor, or only check it with `dry_run`.

    With `update`, a line with the name of an existing code changes those of its fields that the file has columns for.
    The import is one transaction, so a crash leaves all codes or none. Raises ImportRefused with the bad lines, and
    Invalid for an update by the export of a vendor.
    """
    if vendor is not None and update:
        raise Invalid([Violation("NotForVendors", "update", "is for files with the columns of an export from Tessera")])
    preset = PRESETS[vendor] if vendor else None
    with closing(presets.read_lines(source.file, preset) if preset else read_lines(source.file)) as all_lines:
        bad = BadLines(preset.title) if preset else BadLines()
        state = _Import(work.organization_id, all_lines, bad=bad)
        while lines := await collect(_next_lines(state, now)):
            lines = await _collect_changes(work, state, lines) if update else lines
            source.on_guesses(len(lines))
            valid_lines = await _look_up(work, state, lines)
            if valid_lines and not dry_run and not state.bad.count:
                await _add(work, state, valid_lines, now=now)
            source.on_progress(source.file.tell())
    await _change_existing(work, state, dry_run=dry_run, now=now)
    changed = len(state.changes) if update else None
    state.bad.raise_if_any()
    if not dry_run:
        await _refuse_vouchers(work, state)
        after = {"promo_codes": state.count, "sha256": source.digest} | ({"changed": changed} if update else {})
        await audit.record(work, AuditedChange(action="Imported", kind=KIND, id=new_id(), after=after), now=now)
    return Imported(promo_codes=state.count, is_dry_run=dry_run, changed=changed)


def _next_lines(state: _Import, now: datetime) -> Iterator[_CheckedLine]:
    """The next lines, each with the violations that need no query.

    Lines with addresses are fewer, because the codes and addresses of all of them are added together.
    """
    room = LINES_PER_BATCH
    try:
        while room > 0 and (line := next(state.lines, None)):
            if state.count >= MAX_LINES:
                message = f"is one too many: a file has at most {MAX_LINES:,} promo codes"
                raise Unreadable(line.number, Violation("TooManyLines", "name", message))
            draft = rules.with_share(line.draft, owner_id=state.owner_id)
            state.count += 1
            room -= 1 + len(draft.email_addresses or ())
            yield replace(line, draft=draft), _violations(state, line, now=now)
    except Unreadable as error:
        state.lines = iter(())
        state.bad.add(error.number, [error.violation])


def _violations(state: _Import, line: Line, *, now: datetime) -> list[Violation]:
    if line.parse_violations:
        return list(line.parse_violations)
    # An expiry in the past is valid, because a file may be an export, which contains expired codes.
    expiry = line.draft.expires_at
    violations = list(rules.managed_violations(line.draft, owner_id=state.owner_id, now=now, kept_expiry=expiry))
    if line.draft.name is not None:
        key = key_of(line.draft.name)
        if key in state.names:
            violations.append(Violation("Repeated", "name", "must be unique, but an earlier line has it"))
        state.names.add(key)
    return violations


async def _collect_changes(work: UnitOfWork, state: _Import, lines: Sequence[_CheckedLine]) -> list[_CheckedLine]:
    """Collect the changes of promo codes that exist; returns the lines of all others."""
    counts = await management.count_addresses(work, [line.draft.name for line, _ in lines if line.draft.name])
    return [each for portion in _portions(lines, counts) for each in await _collect_portion(work, state, portion)]


def _portions(lines: Sequence[_CheckedLine], counts: Mapping[str, int]) -> Iterator[list[_CheckedLine]]:
    """The lines in portions whose existing codes have few addresses, or one code of many."""
    portion: list[_CheckedLine] = []
    room = ADDRESSES_AT_ONCE
    for line, violations in lines:
        room -= (count := counts.get(key_of(line.draft.name or ""), 0))
        if room < 0 and portion:
            yield portion
            portion, room = [], ADDRESSES_AT_ONCE - count
        portion.append((line, violations))
    yield portion


async def _collect_portion(work: UnitOfWork, state: _Import, lines: Sequence[_CheckedLine]) -> list[_CheckedLine]:
    existing = await management.find_all(work, [line.draft.name for line, _ in lines if line.draft.name])
    new_lines: list[_CheckedLine] = []
    for line, violations in lines:
        code = existing.get(key_of(line.draft.name or ""))
        if code is None:
            new_lines.append((line, violations))
        elif repeated := [each for each in violations if each.code == "Repeated"]:
            state.bad.add(line.number, repeated)
        elif not (change := Change.of(line, code, owner_id=state.owner_id)).is_needed:
            continue
        elif too_many := _too_many_changes(state, change):
            state.bad.add(line.number, [too_many])
        else:
            state.changes.append(change)
            state.changed_addresses += change.addresses
    return new_lines


def _too_many_changes(state: _Import, change: Change) -> Violation | None:
    if len(state.changes) >= MAX_CHANGES:
        message = f"is one too many: a file changes at most {MAX_CHANGES:,} promo codes"
        return Violation("TooManyChanges", "name", message)
    if state.changed_addresses + change.addresses > MAX_CHANGED_ADDRESSES:
        message = f"is one too many: the codes that a file changes have at most {MAX_CHANGED_ADDRESSES:,} addresses"
        return Violation("TooManyChanges", "name", message)
    return None


async def _change_existing(work: UnitOfWork, state: _Import, *, dry_run: bool, now: datetime) -> None:
    # In the order of ids, in which redemptions lock several codes as well. They lock all codes against recounts before
    # they lock rows, so the codes to recount come first.
    for change in sorted(state.changes, key=lambda each: (not each.needs_recount, each.code.id)):
        violations = await change.violations(work, dry_run=dry_run or state.bad.count > 0, now=now)
        if violations:
            state.bad.add(change.line.number, violations)


async def _look_up(
    work: UnitOfWork, state: _Import, lines: Sequence[_CheckedLine]
) -> list[tuple[Line, ResolvedReferences]]:
    """The valid lines, with valid references and unused names."""
    references = await drafts.resolve_references(work, *(line.draft for line, _ in lines))
    names = [line.draft.name for line, _ in lines if line.draft.name]
    taken = await drafts.find_taken_names(work, names)
    valid_lines = []
    for line, own_violations in lines:
        violations = [*own_violations, *drafts.unknown_references(line.draft, references)]
        if line.draft.name and key_of(line.draft.name) in taken:
            violations.append(taken[key_of(line.draft.name)])
        if violations:
            state.bad.add(line.number, violations)
        else:
            valid_lines.append((line, references))
    return valid_lines


async def _add(
    work: UnitOfWork, state: _Import, lines: Sequence[tuple[Line, ResolvedReferences]], *, now: datetime
) -> None:
    numbers: dict[UUID, int] = {}
    codes = []
    for line, references in lines:
        code = drafts.new_promo_code(line.draft, references)
        numbers[code.id] = state.added[code.name] = line.number
        codes.append(code)
    # A concurrent transaction may have taken a name since `_look_up`.
    for code_id, violation in (await service.add_untaken(work, codes, now=now)).items():
        state.bad.add(numbers[code_id], [violation])


async def _refuse_vouchers(work: UnitOfWork, state: _Import) -> None:
    # A concurrent import of vouchers may have committed since `_add`.
    clashes = await texts.find_vouchers_with(work, state.added) if state.added else ()
    for name, number in state.added.items():
        if key_of(name) in clashes:
            state.bad.add(number, [drafts.name_taken(name, by_voucher=True)])
    state.bad.raise_if_any()
