"""Commands on the metadata of records."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated
from uuid import UUID

import typer

from tessera.cli.lookups import redemptions, vouchers
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.metadata import parse_metadata
from tessera.cli.options.types import Cursor, Limit
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import fields_of
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.promo_codes.management import service as promo_codes
from tessera.record_metadata import service
from tessera.record_metadata.rules import Kind
from tessera.record_metadata.service import RecordWithMetadata

RecordKind = Annotated[Kind, typer.Argument(help="The kind of record.", metavar="KIND", case_sensitive=False)]
Record = Annotated[str, typer.Argument(help="The id of the record, its name or its code.", metavar="RECORD")]
FIELDS = ("kind", "id", "metadata")

commands = CommandGroup()


async def _promo_code_id(work: UnitOfWork, name_or_id: str) -> UUID:
    return (await promo_codes.get_by_name(work, name_or_id)).id


_IDS: Mapping[Kind, Callable[[UnitOfWork, str], Awaitable[UUID]]] = {
    Kind.PROMO_CODE: _promo_code_id,
    Kind.VOUCHER_PROGRAM: vouchers.program_id,
    Kind.VOUCHER_PURCHASE: vouchers.purchase_id,
    Kind.VOUCHER: vouchers.voucher_id,
    Kind.REDEMPTION: redemptions.redemption_id,
}


@commands.command("show")
def show_metadata(session: OrganizationSession, kind: RecordKind, record: Record) -> None:
    """Show the metadata of a record."""

    async def get(work: UnitOfWork) -> RecordWithMetadata:
        return await service.get(work, kind, await _IDS[kind](work, record))

    session.show(f"The metadata of {record}.", fields_of(session.run(get), *FIELDS))


@commands.command("set")
def set_metadata(
    session: OrganizationSession,
    kind: RecordKind,
    record: Record,
    texts: Annotated[list[str] | None, typer.Argument(help="Each text with its key.", metavar="KEY=TEXT...")] = None,
) -> None:
    """Replace all metadata of a record; without texts, remove them."""
    metadata = parse_metadata(texts or (), field="texts")

    async def replace(work: UnitOfWork) -> RecordWithMetadata:
        record_id = await _IDS[kind](work, record)
        return await service.replace(work, kind, record_id, metadata, now=clock())

    session.show(f"Replaced the metadata of {record}.", fields_of(session.run(replace), *FIELDS))


@commands.command("find")
def find_records(
    session: OrganizationSession,
    kind: RecordKind,
    key: Annotated[str, typer.Argument(help="The key (case-sensitive).", metavar="KEY")],
    value: Annotated[str, typer.Argument(help="The text (case-sensitive).", metavar="TEXT")],
    limit: Limit = 100,
    cursor: Cursor = None,
) -> None:
    """List the records whose metadata have a text, oldest first."""
    page = session.run(lambda work: service.list_by_cursor(work, kind, key=key, value=value, after=cursor, size=limit))
    rows = [fields_of(each, *FIELDS) for each in page.items]
    session.show_rows(rows, if_none="No records match.", cursor=page.cursor)
