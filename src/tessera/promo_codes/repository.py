"""Statements on the promo codes of one tenant: creation."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import insert
from sqlalchemy.dialects import postgresql

from tessera.kit import editing
from tessera.kit.db.arrays import Texts
from tessera.kit.db.bulk_insert import row_of
from tessera.kit.db.unit_of_work import UnitOfWork, execute_text
from tessera.kit.normalization import email_key, key_of
from tessera.promo_codes.rules import TERM_COLUMNS, PromoCodeTerms, Status
from tessera.promo_codes.tables import PromoCode, PromoCodeEmailAddress, PromoCodeProductBundle, PromoCodeStoreExam
from tessera.record_metadata.repository import MetadataRepository
from tessera.record_metadata.rules import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPromoCode(PromoCodeTerms):
    """A promo code to add."""

    id: UUID
    name: str
    status: Status
    redemption_count: int = 0
    restrict_to_email_addresses: bool = False
    store_exam_ids: tuple[UUID, ...] = ()
    product_bundle_ids: tuple[UUID, ...] = ()
    email_addresses: tuple[str, ...] = ()


_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
_TERMS = ", ".join(TERM_COLUMNS)
_TYPED_TERMS = ", ".join(f"{name} {PromoCode.__table__.c[name].type.compile(_DIALECT)}" for name in TERM_COLUMNS)
# One round trip adds codes and restrictions. The codes are one JSON text because the driver takes several times as long
# for thousands of parameters. `in (select ...)` uses a hash table, whereas a join would compare all pairs of codes.
ADD = f"""
with new_codes as materialized (
    select * from json_to_recordset(%(codes)s::json) as code (
        id uuid, name text, status text, {_TYPED_TERMS}, redemption_count integer,
        restrict_to_email_addresses boolean, store_exam_ids uuid[], product_bundle_ids uuid[], email_addresses text[],
        email_keys text[], voucher_code text
    )
), added as (
    insert into promo_codes (
        organization_id, id, name, status, {_TERMS}, redemption_count, held_count, restrict_to_email_addresses,
        has_store_exams, has_product_bundles, created_at, version
    )
    select %(organization_id)s, id, name, status, {_TERMS}, redemption_count, 0, restrict_to_email_addresses,
           cardinality(store_exam_ids) > 0, cardinality(product_bundle_ids) > 0, %(now)s, %(version)s
    from new_codes
    where not exists (
        select from vouchers v
        where v.organization_id = %(organization_id)s and v.code = new_codes.voucher_code
    )
    on conflict (organization_id, name_key) do nothing
    returning id
), restricted as materialized (
    select * from new_codes where (id in (select id from added)) is true
), exams as (
    insert into promo_code_store_exams (organization_id, promo_code_id, store_exam_id, position)
    select %(organization_id)s, code.id, exam.id, exam.n - 1
    from restricted code cross join unnest(code.store_exam_ids) with ordinality as exam (id, n)
    returning 1
), bundles as (
    insert into promo_code_product_bundles (organization_id, promo_code_id, product_bundle_id)
    select %(organization_id)s, code.id, bundle.id
    from restricted code cross join unnest(code.product_bundle_ids) as bundle (id)
    returning 1
), addresses as (
    insert into promo_code_email_addresses (organization_id, promo_code_id, email_key, email, position)
    select %(organization_id)s, code.id, address.key, address.email, address.n - 1
    from restricted code
    cross join unnest(code.email_keys, code.email_addresses) with ordinality as address (key, email, n)
    returning 1
)
select id from added
"""  # noqa: S608 - the terms are names of our own columns

# Keys that Postgres computed would have the collation C, in which the indexes are not sorted: it would read all names.
USED_NAMES = """
select name_key, false from promo_codes
where organization_id = %(organization_id)s
  and name_key = any (%(name_keys)s::text[])
union all
select lower(code collate "C"), true from vouchers
where organization_id = %(organization_id)s
  and code = any (%(voucher_codes)s::text[])
"""


class PromoCodeRepository:
    """The promo codes of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._metadata = MetadataRepository(work, Kind.PROMO_CODE)

    async def find_used_names(self, names: Collection[str]) -> dict[str, bool]:
        """The names in use, by key: True if a voucher has the name, False if a promo code (archived or not) has it."""
        values = {
            "organization_id": self._organization_id,
            "name_keys": Texts([key_of(name) for name in names]),
            "voucher_codes": Texts([name.upper() for name in names]),
        }
        return dict(await (await execute_text(self._connection, USED_NAMES, values)).fetchall())

    async def add(self, codes: Collection[NewPromoCode], *, now: datetime) -> frozenset[UUID]:
        """Add promo codes; returns the ids of those that were rejected because a code or a voucher has their name.

        The first of several codes with one name is added. Codes are added in the order of their names, so that
        concurrent transactions cannot deadlock.
        """
        if not codes:
            return frozenset()
        rows = [_row(code) for code in sorted(codes, key=lambda code: key_of(code.name))]
        values = {
            "organization_id": self._organization_id,
            "codes": orjson.dumps(rows, default=str).decode(),
            "now": now,
            "version": editing.FIRST,
        }
        added_rows = await (await execute_text(self._connection, ADD, values)).fetchall()
        added_ids = {code_id for (code_id,) in added_rows}
        await self._metadata.index_new({code.id: code.metadata for code in codes if code.id in added_ids})
        return frozenset(code.id for code in codes) - added_ids

    async def add_restrictions(self, codes: Sequence[NewPromoCode]) -> None:
        """Add the exams, bundles and addresses of promo codes that have none yet."""
        tenant = {"organization_id": self._organization_id}
        exams = [
            tenant | {"promo_code_id": code.id, "store_exam_id": exam_id, "position": position}
            for code in codes
            for position, exam_id in enumerate(code.store_exam_ids)
        ]
        bundles = [
            tenant | {"promo_code_id": code.id, "product_bundle_id": bundle_id}
            for code in codes
            for bundle_id in code.product_bundle_ids
        ]
        addresses = [
            tenant | {"promo_code_id": code.id, "email_key": email_key(email), "email": email, "position": position}
            for code in codes
            for position, email in enumerate(code.email_addresses)
        ]
        for table, rows in (
            (PromoCodeStoreExam, exams),
            (PromoCodeProductBundle, bundles),
            (PromoCodeEmailAddress, addresses),
        ):
            if rows:
                await self._connection.execute(insert(table), rows)


def _row(code: NewPromoCode) -> dict[str, Any]:
    # The code of a voucher with the same name is computed here, because Postgres could not use the index of vouchers
    # for a function of a column.
    email_keys = [email_key(email) for email in code.email_addresses]
    keys = {"campaign_key": code.campaign_key, "email_keys": email_keys, "voucher_code": code.name.upper()}
    return row_of(code) | keys
