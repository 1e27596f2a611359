"""The reference of users to their voucher partner.

Identity does not know partners: a process that has imported only its tables could not resolve the reference.
"""

from typing import cast

from sqlalchemy import ForeignKeyConstraint, Table

from tessera.identity.tables import User

cast(Table, User.__table__).append_constraint(
    ForeignKeyConstraint(["organization_id", "partner_id"], ["voucher_partners.organization_id", "voucher_partners.id"])
)
