"""Statements of importing promo codes."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Text, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from tessera.kit.database import UnitOfWork
from tessera.kit.text import key_of
from tessera.promo_codes.models import PromoCode
from tessera.promo_codes.repository import NewPromoCode

# All rows as one text, because the driver takes several times as long over thousands of parameters.
GIVEN = """
json_to_recordset(%(codes)s::json) as code (
    id uuid, name text, status text, discount_percent integer, flat_discount numeric, expires_at timestamptz,
    max_redemptions integer, max_redemptions_per_candidate integer, restrict_to_email_addresses boolean, notes text,
    store_exam_ids uuid[], product_bundle_ids uuid[], emails text[], email_keys text[]
)
"""
ADD_CODES = f"""
insert into promo_codes (
    organization_id, id, name, status, discount_percent, flat_discount, expires_at, max_redemptions,
    max_redemptions_per_candidate, redemption_count, held_count, restrict_to_email_addresses, has_store_exams,
    has_product_bundles, notes, created_at, version
)
select %(organization_id)s, code.id, code.name, code.status, code.discount_percent, code.flat_discount, code.expires_at,
       code.max_redemptions, code.max_redemptions_per_candidate, 0, 0, code.restrict_to_email_addresses,
       cardinality(code.store_exam_ids) > 0, cardinality(code.product_bundle_ids) > 0, code.notes, %(now)s, 1
from {GIVEN}
on conflict (organization_id, name_key) do nothing
returning id
"""  # noqa: S608 - put together from constants
ADD_RESTRICTIONS = f"""
with given as materialized (
    select * from {GIVEN}
), exams as (
    insert into promo_code_store_exams (organization_id, promo_code_id, store_exam_id, position)
    select %(organization_id)s, given.id, exam.id, exam.n - 1
    from given cross join unnest(given.store_exam_ids) with ordinality as exam (id, n)
), bundles as (
    insert into promo_code_product_bundles (organization_id, promo_code_id, product_bundle_id)
    select %(organization_id)s, given.id, bundle.id
    from given cross join unnest(given.product_bundle_ids) as bundle (id)
)
insert into promo_code_email_addresses (organization_id, promo_code_id, email_key, email, position)
select %(organization_id)s, given.id, address.email_key, address.email, address.n - 1
from given cross join unnest(given.email_keys, given.emails) with ordinality as address (email_key, email, n)
"""  # noqa: S608 - likewise


class ImportRepository:
    """The promo codes of the organization that the unit of work is pinned to, thousands at a time."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def find_taken(self, names: Collection[str]) -> frozenset[str]:
        """The keys of those of these names that promo codes have."""
        statement = select(PromoCode.name_key).where(
            PromoCode.organization_id == self._organization_id,
            PromoCode.name_key == any_(literal([key_of(name) for name in names], ARRAY(Text))),
        )
        return frozenset((await self._connection.execute(statement)).scalars())

    async def add_all(self, codes: Sequence[NewPromoCode], *, now: datetime) -> frozenset[UUID]:
        """Add promo codes; returns the ids of those whose names were taken, and adds no restriction if any was."""
        rows = orjson.dumps([_row(code) for code in codes], default=str).decode()
        given = {"organization_id": self._organization_id, "codes": rows, "now": now}
        added = await self._connection.exec_driver_sql(ADD_CODES, given)
        taken = frozenset(code.id for code in codes) - frozenset(added.scalars())
        if not taken:
            await self._connection.exec_driver_sql(ADD_RESTRICTIONS, given)
        return taken


_FIELDS = tuple(NewPromoCode.__dataclass_fields__)


def _row(code: NewPromoCode) -> dict[str, Any]:
    row = {name: getattr(code, name) for name in _FIELDS}
    row["emails"] = row.pop("email_addresses")
    row["email_keys"] = [key_of(email) for email in row["emails"]]
    return row
