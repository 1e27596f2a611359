"""The export of an organization to a file, and its import."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any
from uuid import UUID

import orjson

import tessera
from tessera import schema
from tessera.audit import service as audit
from tessera.audit.seals import service as seals
from tessera.audit.service import Change
from tessera.identity.organizations import service as organizations
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db import failures
from tessera.kit.db.database import Access
from tessera.kit.db.engine import STATEMENT_ERRORS
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Conflict, NotAllowed, NotFound
from tessera.promo_codes.batches import service as batches
from tessera.promo_codes.uses import service as promo_codes
from tessera.promo_codes.uses.service import UseChange
from tessera.redemptions.ledger import service as ledger
from tessera.reports import service as reports
from tessera.transfers.format import CannotRead, Chunk, Header, Reader, Summary, Writer
from tessera.transfers.repository import CHUNK_SIZE, CREDENTIALS, TABLES, TransferRepository, columns_of
from tessera.vouchers.purchases import service as purchases

ORGANIZATIONS = "organizations"

# Opens a unit of work in an organization.
OpenWork = Callable[[UUID, Access], AbstractAsyncContextManager[UnitOfWork]]
Progress = Callable[[int], None]


class CannotTransfer(Conflict):
    """The organization cannot be exported or imported; each line of the message is a reason."""


async def count_rows(open_work: OpenWork, organization_id: UUID) -> int:
    """The number of rows of an organization; raises NotAllowed."""
    if organization_id == PLATFORM_ID:
        raise NotAllowed("The platform cannot be exported; its backup is that of the installation.")
    async with open_work(organization_id, Access.SNAPSHOT) as work:
        repository = TransferRepository(work)
        return sum([await repository.count(table) for table in TABLES])


async def export(
    open_work: OpenWork,
    organization_id: UUID,
    output: IO[bytes],
    *,
    with_credentials: bool,
    set_position: Progress,
) -> Summary:
    """Write all rows of an organization at one moment; without credentials, the file lacks clients, keys and tokens.

    Raises CannotTransfer.
    """
    await _require_platform(open_work)
    writer, position = Writer(output), 0
    async with open_work(organization_id, Access.SNAPSHOT) as work:
        repository = TransferRepository(work)
        if not await repository.is_complete():
            raise CannotTransfer("the organization is being imported or deleted, and has a part of its rows only")
        header = Header(
            version=tessera.__version__,
            revision=await _revision(repository),
            organization_id=organization_id,
            name=await organizations.get_name(work),
            has_credentials=with_credentials,
        )
        writer.write_header(header)
        for table in TABLES:
            writer.begin_table(table)
            if with_credentials or table not in CREDENTIALS:
                async for rows in repository.read(table):
                    writer.add(rows)
                    position += len(rows)
                    set_position(position)
            writer.end_table()
        return writer.end()


async def record_export(open_work: OpenWork, organization_id: UUID, summary: Summary, *, now: datetime) -> None:
    """Record an export in the audit log of the platform."""
    async with open_work(PLATFORM_ID, Access.CHANGE) as work:
        await _record(work, "Exported", organization_id, summary, now=now)


@dataclass(frozen=True, slots=True)
class Checked:
    """A complete file: its header, its summary, and the row of the organization."""

    header: Header
    summary: Summary
    organization: dict[str, Any]


async def check(open_work: OpenWork, file: IO[bytes], *, set_position: Progress) -> Checked:
    """Read the whole file, whose rows must have the columns of this schema; raises CannotRead, CannotTransfer."""
    async with open_work(PLATFORM_ID, Access.CHANGE) as work:
        revision = await _revision(TransferRepository(work))
    reader, organization = Reader(file), dict[str, Any]()
    header = reader.header
    if header.revision != revision:
        raise CannotTransfer(
            f"the file has the schema {header.revision}, of version {header.version} of Tessera, and the database the"
            f" schema {revision}: export and import with the same version"
        )
    for table, rows in reader.tables():
        for values in _values(table, rows, header.organization_id):
            if table == ORGANIZATIONS:
                organization = values
        set_position(file.tell())
    assert reader.summary is not None, "all tables were read"  # noqa: S101 - for the type checker
    if reader.summary.rows.keys() != TABLES.keys() or reader.summary.rows[ORGANIZATIONS] != 1:
        raise CannotRead("the file was changed: it lacks a table, or the organization")
    return Checked(header, reader.summary, organization)


def _values(table: str, rows: Iterable[str], organization_id: UUID) -> Iterator[dict[str, Any]]:
    if table not in TABLES:
        raise CannotRead(f"the file was changed: there is no table {table}")
    columns, owner = set(columns_of(table)), "id" if table == ORGANIZATIONS else "organization_id"
    for row in rows:
        values = _parse(row)
        if values.keys() != columns or values[owner] != str(organization_id):
            raise CannotRead(f"the file was changed: the table {table} has a row of another form or organization")
        yield values


async def _revision(repository: TransferRepository) -> str:
    revision = await repository.get_revision()
    if revision != schema.latest_revision():
        raise CannotTransfer(
            f"the database has the schema {revision}, and this version of Tessera {schema.latest_revision()}:"
            " use the version that has migrated the database"
        )
    return revision


def _parse(row: str) -> dict[str, Any]:
    try:
        values: dict[str, Any] = orjson.loads(row)
    except orjson.JSONDecodeError as error:
        raise CannotRead("the file was changed: it has a row that is not JSON") from error
    return values


async def import_file(
    open_work: OpenWork, file: IO[bytes], checked: Checked, *, set_position: Progress, now: datetime
) -> None:
    """Import a checked file, or the rest of it after an import that was interrupted.

    Until all rows have arrived, no credential of the organization is valid. Then it is frozen, and as in the file.
    Raises CannotTransfer; an import that had begun can go on later.
    """
    organization_id, digest = checked.header.organization_id, bytes.fromhex(checked.summary.digest)
    await _begin(open_work, organization_id, checked, now=now)
    position = done = 0
    reader = Reader(file)
    for chunk in reader.chunks(CHUNK_SIZE):
        end = position + len(chunk.rows)
        if end > done:
            async with open_work(organization_id, Access.MOVE) as work:
                done = max(await _arrive(TransferRepository(work), chunk, position, digest=digest), end)
        position = end
        set_position(position)
    if reader.summary != checked.summary:
        raise CannotRead("the file was changed while it was imported")
    await _complete(open_work, organization_id, checked, now=now)


async def _arrive(repository: TransferRepository, chunk: Chunk, position: int, *, digest: bytes) -> int:
    """Add those rows of a chunk that have not arrived; returns the number of all rows that had arrived before."""
    # Two imports of one file at once take turns at this lock.
    transfer = await repository.lock()
    if transfer is None or transfer.digest != digest:
        raise CannotTransfer("another import of the organization has ended")
    rows = chunk.rows[max(transfer.rows_done - position, 0) :]
    if rows:
        if chunk.table != ORGANIZATIONS:
            await _add(repository, chunk.table, rows)
        await repository.note(position + len(chunk.rows))
    return transfer.rows_done


async def _begin(open_work: OpenWork, organization_id: UUID, checked: Checked, *, now: datetime) -> None:
    await _require_platform(open_work)
    name, digest = checked.organization["name"], bytes.fromhex(checked.summary.digest)
    async with open_work(organization_id, Access.MOVE) as work:
        repository = TransferRepository(work)
        await repository.lock_beginning()
        transfer = await repository.lock()
        if transfer is not None:
            if transfer.digest != digest:
                raise CannotTransfer("the import of another file of this organization is not complete")
            return
        async with work.pinned_to(PLATFORM_ID) as platform_work:
            with_id = await organizations.find(platform_work, str(organization_id))
            with_name = await organizations.find(platform_work, name)
        reasons = []
        if with_id is not None:
            reasons.append(f"the organization {organization_id} exists, with the name {with_id.name}")
        if with_name is not None and with_name.id != organization_id:
            reasons.append(f"another organization has the name {name}: {with_name.id}")
        if with_id is None:
            left = [table for table in TABLES if await repository.has_rows(table)]
            reasons += [f"the table {table} has rows of the organization {organization_id}" for table in left]
        if reasons:
            raise CannotTransfer("\n".join(reasons))
        await repository.add_organization(name=name, digest=digest, now=now)


async def _add(repository: TransferRepository, table: str, rows: Sequence[str]) -> None:
    try:
        await repository.add(table, rows)
    except STATEMENT_ERRORS as error:
        if failures.domain_error(error) is not None:
            raise
        raise CannotTransfer(
            f"the database refuses a row of the table {table}: {failures.message_of(error)}"
        ) from error


async def _complete(open_work: OpenWork, organization_id: UUID, checked: Checked, *, now: datetime) -> None:
    async with open_work(organization_id, Access.MOVE) as work:
        repository = TransferRepository(work)
        if await repository.lock() is None:
            raise CannotTransfer("another import of the organization has ended")
        for table, count in checked.summary.rows.items():
            if (arrived := await repository.count(table)) != count:
                raise CannotTransfer(f"the table {table} has {arrived:,} rows, and the file {count:,}")
        await _count_global_uses(work, repository)
        values = checked.organization
        await repository.complete(
            is_active=values["is_active"],
            created_at=datetime.fromisoformat(values["created_at"]),
            version=values["version"],
        )
        await purchases.queue(work, *await repository.list_waiting_purchases())
        for batch_id in await repository.list_open_batches():
            await batches.queue(work, batch_id)
        async with work.pinned_to(PLATFORM_ID) as platform_work:
            await _record(platform_work, "Imported", organization_id, checked.summary, now=now)


async def _count_global_uses(work: UnitOfWork, repository: TransferRepository) -> None:
    """Count the uses of global promo codes of this installation, whose limits apply to them."""
    uses = {code: UseChange(redeemed, held) for code, redeemed, held in await repository.sum_global_uses()}
    try:
        await promo_codes.count_uses_for_each(work, {work.organization_id: uses} if uses else {})
    except STATEMENT_ERRORS as error:
        if failures.domain_error(error) is not None:
            raise
        raise CannotTransfer("a global promo code has fewer uses left than the organization has used") from error


async def verify(open_work: OpenWork, organization_id: UUID) -> list[str]:
    """Verify the ledger, the reports and the seals of an organization; returns a line for each discrepancy."""
    async with open_work(organization_id, Access.SNAPSHOT) as work:
        discrepancies = [*(await ledger.verify(work)).discrepancies, *await reports.list_discrepancies(work)]
        flaws = (await seals.verify(work)).findings
    return [
        *(f"{each.kind} {each.name} has {each.stored}, the ledger {each.recounted}" for each in discrepancies),
        *(f"audit entry {flaw.entry_id} at position {flaw.position}: {flaw.flaw}" for flaw in flaws),
    ]


async def _require_platform(open_work: OpenWork) -> None:
    async with open_work(PLATFORM_ID, Access.CHANGE) as work:
        if await organizations.find(work, str(PLATFORM_ID)) is None:
            raise NotFound("There is no platform, whose audit log records this: run `tessera platform create` first.")


async def _record(work: UnitOfWork, action: str, organization_id: UUID, summary: Summary, *, now: datetime) -> None:
    values = {"rows": summary.count, "digest_of_file": summary.digest}
    await audit.record(work, Change(action=action, kind="Organization", id=organization_id, after=values), now=now)
