"""Statements on the promo codes of one tenant: creation and the documented list."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import BindParameter, ColumnElement, Select, Uuid, false, insert, select, true
from sqlalchemy.dialects import postgresql

from tessera.kit import editing
from tessera.kit.db.arrays import Texts
from tessera.kit.db.bulk_insert import row_of
from tessera.kit.db.compiled_queries import parameter
from tessera.kit.db.json_projection import JsonProjection
from tessera.kit.db.pages import JsonPage, JsonPageQuery
from tessera.kit.db.round_trips import Step, run_all
from tessera.kit.db.single_rows import with_id
from tessera.kit.db.unit_of_work import UnitOfWork, execute_text
from tessera.kit.errors import TooManyResults
from tessera.kit.normalization import email_key, key_of
from tessera.promo_codes.restrictions import repository as restrictions
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoCodeFilter:
    """Filters of the documented list; None matches every code."""

    name: str | None = None
    status: Status | None = None
    store_exam_code: str | None = None
    restrict_to_email_addresses: bool | None = None
    email_address: str | None = None


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


class ListedPromoCode(NamedTuple):
    """A promo code in the documented list: a percentage for some exams, with an expiry and a limit in total."""

    name: str
    store_exam_codes: Sequence[str]
    discount_percent: int
    email_addresses: Sequence[str]
    expires_at: datetime
    max_redemptions: int
    max_redemptions_per_candidate: int | None
    notes: str | None
    redemption_count: int
    restrict_to_email_addresses: bool


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

    async def list_pages(
        self, requests: Sequence[tuple[PromoCodeFilter, int]], *, projection: JsonProjection
    ) -> list[JsonPage | TooManyResults]:
        """Numbered pages of the codes that the documented list can express, as a projection of `ListedPromoCode`."""
        pages = [self._page(filters, number, projection) for filters, number in requests]
        return await run_all(self._connection, pages)

    def _page(
        self, filters: PromoCodeFilter, number: int, projection: JsonProjection
    ) -> Step[JsonPage | TooManyResults]:
        values = {
            "organization_id": self._organization_id,
            "status": filters.status and filters.status.value,
            "name_key": filters.name and key_of(filters.name),
            "restricted": filters.restrict_to_email_addresses,
            "exam_key": filters.store_exam_code and key_of(filters.store_exam_code),
            "email_key": filters.email_address and email_key(filters.email_address),
        }
        names = frozenset(name for name, value in values.items() if value is not None)
        return _page_query(names, projection).page(values, number=number)

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


_ORGANIZATION_ID: BindParameter[UUID] = parameter("organization_id", Uuid())
_EXAM_ID = restrictions.exam_id(_ORGANIZATION_ID, parameter("exam_key"))


def _row(code: NewPromoCode) -> dict[str, Any]:
    # The code of a voucher with the same name is computed here, because Postgres could not use the index of vouchers
    # for a function of a column.
    email_keys = [email_key(email) for email in code.email_addresses]
    keys = {"campaign_key": code.campaign_key, "email_keys": email_keys, "voucher_code": code.name.upper()}
    return row_of(code) | keys


@cache
def _page_query(filters: frozenset[str], projection: JsonProjection) -> JsonPageQuery:
    narrow_filters = filters & {"name_key", "exam_key", "email_key"}
    return JsonPageQuery(
        projection, matching=_matching(filters) if narrow_filters else _in_order(filters), rows=_listed
    )


def _in_order(filters: frozenset[str]) -> list[Select[UUID]]:
    """The ids for each status and restriction, in the order of the index."""
    statuses = [parameter("status")] if "status" in filters else [status.value for status in Status]
    restricted = [parameter("restricted")] if "restricted" in filters else [true(), false()]
    return [
        select(PromoCode.id).where(
            PromoCode.organization_id == _ORGANIZATION_ID,
            PromoCode.is_listed,
            PromoCode.status == status,
            PromoCode.restrict_to_email_addresses == is_restricted,
        )
        for status in statuses
        for is_restricted in restricted
    ]


def _matching(filters: frozenset[str]) -> Select[UUID]:
    # Without a comparison, because Postgres would not use the partial index for `is_listed is true`.
    matching = select(PromoCode.id).where(PromoCode.organization_id == _ORGANIZATION_ID, PromoCode.is_listed)
    if "status" in filters:
        matching = matching.where(PromoCode.status == parameter("status"))
    elif "email_key" not in filters:  # so that the index also serves a filter by restriction only
        matching = matching.where(PromoCode.status.in_(list(map(str, Status))))
    if "name_key" in filters:
        matching = matching.where(PromoCode.name_key == parameter("name_key"))
    if "restricted" in filters:
        matching = matching.where(PromoCode.restrict_to_email_addresses == parameter("restricted"))
    if "email_key" in filters:
        if "exam_key" in filters:
            matching = matching.where(restrictions.has_exam(PromoCode.__table__.c.id, _EXAM_ID, _ORGANIZATION_ID))
        is_of_address = PromoCodeEmailAddress.email_key == parameter("email_key")
        return restrictions.codes_restricted_to(matching, PromoCodeEmailAddress, is_of_address, _ORGANIZATION_ID)
    if "exam_key" in filters:
        return _of_exam(matching, has_narrower_filter=not filters.isdisjoint({"status", "restricted", "name_key"}))
    return matching


def _of_exam(codes: Select[UUID], *, has_narrower_filter: bool) -> Select[UUID]:
    is_of_exam = PromoCodeStoreExam.store_exam_id == _EXAM_ID
    if has_narrower_filter:  # a join, not a list of ids, because it may also start from the codes of the other filter
        return codes.join(PromoCodeStoreExam, restrictions.is_of_promo_code(PromoCodeStoreExam)).where(is_of_exam)
    return restrictions.codes_restricted_to(codes, PromoCodeStoreExam, is_of_exam, _ORGANIZATION_ID)


def _listed(promo_code_id: ColumnElement[UUID]) -> Select[*tuple[Any, ...]]:
    code = select(
        PromoCode.name,
        restrictions.store_exam_codes(_ORGANIZATION_ID).label("store_exam_codes"),
        PromoCode.discount_percent,
        restrictions.email_addresses(_ORGANIZATION_ID).label("email_addresses"),
        PromoCode.expires_at,
        PromoCode.max_redemptions,
        PromoCode.max_redemptions_per_candidate,
        PromoCode.notes,
        PromoCode.redemption_count,
        PromoCode.restrict_to_email_addresses,
    ).where(PromoCode.organization_id == _ORGANIZATION_ID)
    return with_id(code, PromoCode.__table__.c.id, promo_code_id)
