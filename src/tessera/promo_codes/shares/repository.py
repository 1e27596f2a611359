"""Statements on the shares of organizations in global promo codes: their limits and their counts of uses."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete

from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.promo_codes.tables import PromoCodeShare

ADD = """
insert into promo_code_shares (organization_id, promo_code_id, used_by, redemption_count, held_count)
select %(organization_id)s, promo_code_id, used_by, redeemed, held
from sum_ledger_by_organization(array[%(promo_code_id)s::uuid])
returning used_by
"""


class ShareRepository:
    """Shares in global codes: those of the organization of the unit of work or, for the platform, of every one."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def find_own(self, global_ids: Sequence[UUID], *, as_of: datetime) -> Sequence[AnyRow]:
        """The limit and the uses of the organization, for each of these global codes that has such a limit."""
        rows = await self._connection.exec_driver_sql(
            "select * from find_promo_code_shares(%s::uuid[], %s::timestamptz)", (list(global_ids), as_of)
        )
        return rows.all()

    async def add_counts(self, promo_code_id: UUID) -> None:
        """Count the uses of a global code by each organization; the code must be locked, and have no counts yet."""
        values = {"organization_id": self._organization_id, "promo_code_id": promo_code_id}
        await self._connection.exec_driver_sql(ADD, values)

    async def remove_counts(self, promo_code_id: UUID) -> None:
        """Delete the counts of a locked global code."""
        share = PromoCodeShare
        await self._connection.execute(
            delete(share).where(share.organization_id == self._organization_id, share.promo_code_id == promo_code_id)
        )
