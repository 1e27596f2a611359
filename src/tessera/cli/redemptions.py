"""Commands on redemptions."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from tessera.cli.confirmation import confirm
from tessera.cli.database_sessions import OrganizationDatabase
from tessera.cli.files import Length, save
from tessera.cli.lookups import redemptions as lookups
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.metadata import MetadataFilter, parse_filter
from tessera.cli.options.types import Cursor, Limit, Organization, Output, Reveal, Yes
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import fields_of
from tessera.identity.profiles import service as profiles
from tessera.kit.clock import clock
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.redemptions import export, lifecycle
from tessera.redemptions.lifecycle import Redemption, RedemptionFilter
from tessera.redemptions.rules import END_STATUS, RedemptionStatus
from tessera.vouchers.revealing import service as revealing

RedemptionRef = Annotated[
    str, typer.Argument(help="The redemption's id, or a reservation code with one redemption.", metavar="REDEMPTION")
]
LIST_FIELDS = ("code", "status", "reservation_code", "created_at", "discount", "store_exam_code", "person_id", "id")
DETAIL_FIELDS = (
    *LIST_FIELDS,
    *("reservation_status", "product_bundle_id", "client_candidate_id", "first_name", "last_name", "email"),
    *("list_price", "held_until", "updated_at", "made_by", "metadata"),
)

commands = CommandGroup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters of redemptions."""

    code: Annotated[str | None, typer.Option(help="The promo code or voucher, in any case.")] = None
    reservation: Annotated[str | None, typer.Option(help="The reservation code.")] = None
    person: Annotated[str | None, typer.Option(help="The person id of the candidate.")] = None
    status: Annotated[RedemptionStatus | None, typer.Option(help="The current status.", case_sensitive=False)] = None
    created_from: Annotated[
        datetime | None, typer.Option(help="Only redemptions created at this time or later, UTC.")
    ] = None
    created_before: Annotated[datetime | None, typer.Option(help="Only redemptions created before this time, UTC.")] = (
        None
    )
    metadata: MetadataFilter = None

    def parse(self) -> RedemptionFilter:
        """These options as filters of the service."""
        return RedemptionFilter(
            code=self.code,
            reservation_code=self.reservation,
            person_id=self.person,
            status=self.status,
            created_from=self.created_from and self.created_from.replace(tzinfo=UTC),
            created_before=self.created_before and self.created_before.replace(tzinfo=UTC),
            metadata=parse_filter(self.metadata),
        )


@commands.command("list")
def list_redemptions(
    session: OrganizationSession, options: Filters, limit: Limit = 100, cursor: Cursor = None, *, reveal: Reveal = False
) -> None:
    """List redemptions, newest first. `tessera redemption export` writes all of them."""
    filters, now = options.parse(), clock()

    async def fetch(work: UnitOfWork) -> CursorPage[Redemption]:
        page = await lifecycle.list_by_cursor(work, filters, now=now, newest=True, after=cursor, size=limit)
        if not reveal:
            return page.map(lambda redemption: redemption.masked)
        await revealing.record(work, "redemption list", asdict(options), len(page.items), now=now)
        return page

    page = session.run(fetch)
    rows = [fields_of(each, *LIST_FIELDS) for each in page.items]
    session.show_rows(rows, if_none="No redemptions match.", cursor=page.cursor)


@commands.command("show")
def show_redemption(session: OrganizationSession, redemption: RedemptionRef) -> None:
    """Show a redemption with its candidate and its price."""

    async def get(work: UnitOfWork, redemption_id: UUID) -> tuple[Redemption, str | None]:
        return await _with_maker(work, await lifecycle.get(work, redemption_id, caller=None, now=clock()))

    _show(session, *session.run_on(lookups.redemption_id, redemption, get))


@commands.command("cancel")
def cancel_redemption(session: OrganizationSession, redemption: RedemptionRef, *, yes: Yes = False) -> None:
    """Cancel a redemption, or release a hold (final). The use of the code is returned."""
    confirm(f"Cancel the redemption {redemption}? The code can be used again.", yes=yes)

    async def end(work: UnitOfWork, redemption_id: UUID) -> tuple[Redemption, str | None]:
        now = clock()
        current = await lifecycle.get(work, redemption_id, caller=None, now=now)
        status = END_STATUS.get(current.status, RedemptionStatus.CANCELLED)
        return await _with_maker(work, await lifecycle.change(work, redemption_id, status, caller=None, now=now))

    _show(session, *session.run_on(lookups.redemption_id, redemption, end))


@commands.command("export")
def export_redemptions(
    organization: Organization = None, output: Output = None, *, options: Filters, reveal: Reveal = False
) -> None:
    """Export redemptions as CSV, oldest first."""
    filters, now = options.parse(), clock()
    length = Length(lambda work: lifecycle.count(work, filters, now=now), export.PAGE_SIZE)

    async def content(session: OrganizationDatabase) -> AsyncIterator[bytes]:
        if reveal:
            async with session.unit_of_work() as work:
                number = await lifecycle.count(work, filters, now=now)
                await revealing.record(work, "redemption export", asdict(options), number, now=now)
        async for chunk in export.csv(session.database, session.organization_id, filters, reveals=reveal, now=now):
            yield chunk

    save(organization, output, content, length)


async def _with_maker(work: UnitOfWork, redemption: Redemption) -> tuple[Redemption, str | None]:
    if redemption.made_by is None:
        return redemption, None
    return redemption, await profiles.find_name(work, redemption.made_by)


def _show(session: OrganizationSession, redemption: Redemption, maker: str | None) -> None:
    redemption = redemption.masked
    sentence = f"The redemption of {redemption.code} for {redemption.reservation_code} is {redemption.status.lower()}."
    session.show(sentence, fields_of(redemption, *DETAIL_FIELDS) | {"madeByName": maker})
