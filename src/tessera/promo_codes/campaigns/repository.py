"""Statements on all promo codes of one campaign."""

from uuid import UUID

from tessera.kit.db.unit_of_work import UnitOfWork

# Locks in the order of ids, as redemptions do. The range of one key makes Postgres use the index of lists.
DEACTIVATE_NEXT = """
with next_codes as (
    select id from promo_codes
    where organization_id = %(organization_id)s and campaign_key >= %(key)s and campaign_key <= %(key)s
      and id > %(after)s and status = 'Active'
    order by campaign_key, id limit %(size)s for no key update
)
update promo_codes p set status = 'Inactive', version = p.version + 1
from next_codes
where p.organization_id = %(organization_id)s and p.id = next_codes.id
returning p.id
"""


class CampaignRepository:
    """The campaigns of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def deactivate_next(self, key: str, *, after: UUID, size: int) -> list[UUID]:
        """Deactivate the next active codes of the campaign with this key after this id; returns their ids, in order."""
        values = {"organization_id": self._organization_id, "key": key}
        result = await self._connection.exec_driver_sql(DEACTIVATE_NEXT, values | {"after": after, "size": size})
        return sorted(row.id for row in result)
