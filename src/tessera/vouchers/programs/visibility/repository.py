"""Statements on the column that says which partners see a program and its rows in other tables."""

from uuid import UUID

from tessera.kit.db.unit_of_work import Connection

# A partner goes on seeing a program that it has bought.
_SHOW = """
update voucher_programs g set visible_to = array(
    select '00000000-0000-0000-0000-000000000000'::uuid where g.is_available_to_all_partners union
    select a.partner_id from voucher_program_partners a
    where a.organization_id = %(organization_id)s and a.program_id = g.id union
    select b.partner_id from voucher_purchases b
    where b.organization_id = %(organization_id)s and b.program_id = g.id
)
where g.organization_id = %(organization_id)s and g.id = %(program_id)s
"""
_SHOW_RELATED = """
update {table} t set visible_to = g.visible_to from voucher_programs g
where g.organization_id = %(organization_id)s and g.id = %(program_id)s
  and t.organization_id = %(organization_id)s and t.program_id = %(program_id)s
"""


_RELATED_TABLES = ("voucher_program_discounts", "voucher_program_store_exams", "voucher_program_email_domains")


async def refresh(connection: Connection, organization_id: UUID, program_id: UUID) -> None:
    """Write the column for a program that was added or is locked, after its partners and its other rows."""
    values = {"organization_id": organization_id, "program_id": program_id}
    await connection.exec_driver_sql(_SHOW, values)
    for table in _RELATED_TABLES:
        await connection.exec_driver_sql(_SHOW_RELATED.format(table=table), values)
