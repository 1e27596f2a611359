"""The look-up of the id of a redemption by reservation code or id."""

from uuid import UUID

from tessera.cli.lookups.references import as_id, named
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.redemptions import lifecycle as redemptions
from tessera.redemptions.lifecycle import RedemptionFilter


async def redemption_id(work: UnitOfWork, reservation_code_or_id: str) -> UUID:
    """The id of the only redemption of the reservation with this code, or with this id; raises NotFound, Conflict."""
    if row_id := as_id(reservation_code_or_id):
        return row_id
    filters = RedemptionFilter(reservation_code=reservation_code_or_id)
    page = await redemptions.list_by_cursor(work, filters, now=clock(), after=None, size=100)
    return named("redemption", reservation_code_or_id, ((each.reservation_code, each.id) for each in page.items))
