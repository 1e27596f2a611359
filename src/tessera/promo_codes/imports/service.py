"""Importing promo codes from a CSV file: all of them, or none and everything that is wrong with each line."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import BinaryIO
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Change
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import DomainError, Violation
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import key_of
from tessera.kit.wire import wire_name
from tessera.promo_codes import drafts, rules
from tessera.promo_codes.drafts import ResolvedReferences
from tessera.promo_codes.imports.parsing import MAX_LINES, Line, Unreadable, read_lines
from tessera.promo_codes.repository import PromoCodeRepository

KIND = "PromoCodeImport"
LINES_AT_ONCE = 2000
MAX_BAD_LINES = 10_000

OnProgress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of the file, from 1, and everything that is wrong with it under the names of its columns."""

    number: int
    violations: Sequence[Violation]


@dataclass(frozen=True, slots=True)
class Source:
    """The file, and the SHA-256 of its content in hexadecimal, by which the audit log knows it."""

    file: BinaryIO
    digest: str


class ImportRefused(DomainError):
    """Nothing was imported; `lines` are the bad ones, the first 10,000 of `count`."""

    def __init__(self, lines: Sequence[BadLine], count: int) -> None:
        super().__init__(f"{count:,} bad lines in all. Nothing was imported.")
        self.lines = lines
        self.count = count


@dataclass(slots=True)
class _Import:
    """What is known so far."""

    lines: Iterator[Line]
    names: set[str] = field(default_factory=set)
    bad: list[BadLine] = field(default_factory=list)
    bad_count: int = 0
    count: int = 0

    def refuse(self, number: int, violations: Sequence[Violation]) -> None:
        self.bad_count += 1
        if len(self.bad) < MAX_BAD_LINES:
            self.bad.append(BadLine(number, [_as_column(violation) for violation in violations]))


async def import_file(
    work: UnitOfWork, source: Source, *, dry_run: bool, now: datetime, on_progress: OnProgress = lambda _: None
) -> int:
    """Import the promo codes of a CSV file, or with `dry_run` only look; returns how many there are.

    All is one transaction, so whatever is killed, there are all or none. `on_progress` is told how many bytes are read.
    Raises ImportRefused with every bad line.
    """
    with closing(read_lines(source.file)) as all_lines:
        state = _Import(all_lines)
        while lines := await asyncio.to_thread(_next_lines, state, now):
            good = await _look_up(work, state, lines)
            if good and not dry_run and not state.bad_count:
                await _add(work, state, good, now=now)
            state.count += len(lines)
            on_progress(source.file.tell())
    if state.bad_count:
        raise ImportRefused(state.bad, state.bad_count)
    if not dry_run:
        after = {"promo_codes": state.count, "sha256": source.digest}
        await audit.record(work, Change(action="Imported", kind=KIND, id=new_id(), after=after), now=now)
    return state.count


def _next_lines(state: _Import, now: datetime) -> list[tuple[Line, list[Violation]]]:
    """The next lines, each with what is wrong with it by itself."""
    found: list[tuple[Line, list[Violation]]] = []
    try:
        for line in islice(state.lines, LINES_AT_ONCE):
            if state.count + len(found) >= MAX_LINES:
                message = f"must not come: a file has at most {MAX_LINES:,} promo codes"
                raise Unreadable(line.number, Violation("TooManyLines", "name", message))
            found.append((line, _violations(state, line, now=now)))
    except Unreadable as error:
        state.lines = iter(())
        state.refuse(error.number, [error.violation])
    return found


def _violations(state: _Import, line: Line, *, now: datetime) -> list[Violation]:
    if line.parse_violations:
        return list(line.parse_violations)
    found = list(rules.managed_violations(line.draft, now=now))
    if line.draft.name is not None:
        key = key_of(line.draft.name)
        if key in state.names:
            found.append(Violation("Repeated", "name", "must be unique, and stands in a line before"))
        state.names.add(key)
    return found


async def _look_up(
    work: UnitOfWork, state: _Import, lines: Sequence[tuple[Line, list[Violation]]]
) -> list[tuple[Line, ResolvedReferences]]:
    """The lines with nothing wrong, also not with what they name."""
    named = await drafts.find_named_by(work, *(line.draft for line, _ in lines))
    taken = await PromoCodeRepository(work).find_taken([line.draft.name for line, _ in lines if line.draft.name])
    good = []
    for line, found in lines:
        violations = [*found, *drafts.unknown(line.draft, named)]
        if line.draft.name and key_of(line.draft.name) in taken:
            violations.append(drafts.name_taken(line.draft.name))
        if violations:
            state.refuse(line.number, violations)
        else:
            good.append((line, named))
    return good


async def _add(
    work: UnitOfWork, state: _Import, good: Sequence[tuple[Line, ResolvedReferences]], *, now: datetime
) -> None:
    numbers: dict[UUID, int] = {}
    codes = []
    for line, named in good:
        code = drafts.new_promo_code(line.draft, named)
        numbers[code.id] = line.number
        codes.append(code)
    taken = await PromoCodeRepository(work).add(codes, now=now)
    for code in codes:
        if code.id in taken:  # by a racing transaction
            state.refuse(numbers[code.id], [drafts.name_taken(code.name)])


def _as_column(violation: Violation) -> Violation:
    return Violation(violation.code, wire_name(violation.field), violation.message)
