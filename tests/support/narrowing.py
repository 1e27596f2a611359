"""Narrowing a transaction to one voucher partner after it has begun, as the pipeline does at its beginning."""

from dataclasses import replace
from uuid import UUID

from tessera.kit.db.unit_of_work import UnitOfWork


async def narrow(work: UnitOfWork, partner_id: UUID) -> UnitOfWork:
    """The rest of the transaction, pinned to one voucher partner as well."""
    await work.connection.exec_driver_sql(f"SET LOCAL app.partner_id = '{partner_id}'")
    return replace(work, partner_id=partner_id)
