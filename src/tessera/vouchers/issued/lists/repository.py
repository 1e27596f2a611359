"""Statements that read vouchers of one tenant: single ones, and lists with filters in several orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, ScalarSelect, Select, false, select, true
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from tessera.catalog.tables import StoreExam
from tessera.kit.db.compiled_queries import parameter
from tessera.kit.db.json_projection import JsonProjection
from tessera.kit.db.pages import (
    CursorOrder,
    CursorPage,
    JsonPage,
    JsonPageQuery,
    Rows,
    begins_with,
    fetch_cursor_page,
    fetch_few,
    fetch_merged_cursor_page,
)
from tessera.kit.db.round_trips import run_all
from tessera.kit.db.single_rows import with_id
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.errors import TooManyResults
from tessera.kit.normalization import email_key, key_of
from tessera.record_metadata.repository import MetadataFilter
from tessera.record_metadata.rules import KeyAndText, Kind
from tessera.vouchers import codes
from tessera.vouchers.tables import Voucher, VoucherPurchase


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherFilter:
    """Filters of vouchers; None matches every voucher."""

    is_active: bool | None = None
    is_used: bool | None = None
    purchase_code: str | None = None
    recipient_email: str | None = None
    reservation_code: str | None = None
    store_exam_code: str | None = None
    voucher_code: str | None = None
    purchase_id: UUID | None = None
    partner_id: UUID | None = None
    is_archived: bool | None = None
    metadata: KeyAndText | None = None


Tenant = UUID | BindParameter[UUID]
FLAGS = frozenset({"is_active", "is_used"})
# Filters that have an index of their own; the matches are few enough to be sorted.
NARROW_FILTERS = frozenset(
    {"purchase_code", "exam_key", "code", "recipient_email_key", "reservation_code", "purchase_id", "is_archived"}
)

# Filters whose index has the partner before the id, so that its vouchers are not in the order of ids.
UNSORTED_FILTERS = frozenset({"exam_key", "recipient_email_key"})
# Filters whose index has the vouchers of each combination of both flags in the order of ids.
SORTED_FILTERS = FLAGS | {"partner_id", "own_partner_id"}
_NEWEST = CursorOrder(columns=[Voucher.__table__.c.id], descending=True)
_BY_CODE = CursorOrder(columns=[Voucher.__table__.c.code], bytewise=True)
_FILTERED = (
    "organization_id",
    "id",
    "code",
    "purchase_id",
    "partner_id",
    "store_exam_id",
    "recipient_email_key",
    "reservation_code",
    "is_active",
    "is_used",
    "is_archived",
)


class VoucherListRepository:
    """The vouchers visible to the unit of work."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._partner_id = work.partner_id

    async def list_pages(
        self, requests: Sequence[tuple[VoucherFilter, int]], *, projection: JsonProjection
    ) -> list[JsonPage | TooManyResults]:
        """Numbered pages of vouchers with the codes of their purchases and exams, as JSON."""
        pages = []
        for filters, number in requests:
            values = self._values(filters)
            pages.append(_page_statement(frozenset(values), projection).page(values, number=number))
        return await run_all(self._connection, pages)

    async def list_by_cursor(
        self, filters: VoucherFilter, *, search: str | None, newest: bool, after: str | None, size: int
    ) -> CursorPage[AnyRow]:
        """A page of vouchers, in the order of the index that finds them, or the newest first."""
        values = self._values(filters)
        has_filters = values.keys() != {"organization_id"} or filters.metadata is not None
        if search is None and filters.metadata is not None:
            vouchers = _select(self._organization_id).where(*_conditions(values))
            by_metadata = self._by_metadata(filters.metadata, Voucher.__table__.c.id)
            return await by_metadata.fetch_page(self._connection, vouchers, after=after, size=size, descending=newest)
        if (search is not None and (newest or has_filters)) or (newest and values.keys() & UNSORTED_FILTERS):
            parts, order = await self._few(values, search, filters.metadata, newest=newest)
        elif newest and values.keys() & SORTED_FILTERS and not values.keys() & NARROW_FILTERS:
            parts, order = _in_order(values), _NEWEST
        else:
            order = CursorOrder(columns=_order(filters), descending=newest) if search is None else _BY_CODE
            # Whole rows, because for ids only the planner might read and sort another index.
            rows = _select(self._organization_id).where(*_conditions(values), *_begins_with(search))
            return await fetch_cursor_page(self._connection, rows, order=order, after=after, size=size)
        return await fetch_merged_cursor_page(
            self._connection, parts, rows=_rows(self._organization_id), order=order, after=after, size=size
        )

    async def _few(
        self, values: Mapping[str, Any], search: str | None, pair: KeyAndText | None, *, newest: bool
    ) -> tuple[list[Select[UUID]], CursorOrder]:
        """The vouchers that an index finds by the search, or else by the unsorted filters, to be sorted differently."""
        keys = {"organization_id"} if search is not None else {"organization_id", "own_partner_id", *UNSORTED_FILTERS}
        by_index = {name: value for name, value in values.items() if name in keys}
        columns = [Voucher.__table__.c[name] for name in _FILTERED]
        matching = select(*columns).where(*_conditions(by_index), *_begins_with(search))
        matches = await fetch_few(self._connection, matching)
        ids = select(matches.c.id).where(*_conditions(values, matches.c))
        if pair is not None:
            ids = ids.where(self._by_metadata(pair, matches.c.id).has_text())
        by_code = CursorOrder(columns=[matches.c.code], bytewise=True)
        return [ids], CursorOrder(columns=[matches.c.id], descending=True) if newest else by_code

    def _by_metadata(self, pair: KeyAndText, voucher_id: ColumnElement[UUID]) -> MetadataFilter:
        return MetadataFilter(kind=Kind.VOUCHER, organization_id=self._organization_id, pair=pair, record_id=voucher_id)

    async def find(self, voucher_id: UUID) -> AnyRow | None:
        """The voucher with this id."""
        return (await self._connection.execute(_select(self._organization_id).where(Voucher.id == voucher_id))).first()

    async def find_id(self, code: str) -> UUID | None:
        """The id of the voucher with this code, ignoring case."""
        statement = select(Voucher.id).where(
            Voucher.organization_id == self._organization_id, Voucher.code == codes.stored_code(code)
        )
        return (await self._connection.execute(statement)).scalar_one_or_none()

    def _values(self, filters: VoucherFilter) -> dict[str, Any]:
        values = {
            "organization_id": self._organization_id,
            "own_partner_id": self._partner_id,
            "is_active": filters.is_active,
            "is_used": filters.is_used,
            "purchase_code": filters.purchase_code and codes.stored_code(filters.purchase_code),
            "exam_key": filters.store_exam_code and key_of(filters.store_exam_code),
            "code": filters.voucher_code and codes.stored_code(filters.voucher_code),
            "recipient_email_key": filters.recipient_email and email_key(filters.recipient_email),
            "reservation_code": filters.reservation_code,
            "purchase_id": filters.purchase_id,
            "partner_id": filters.partner_id,
            "is_archived": filters.is_archived,
        }
        return {name: value for name, value in values.items() if value is not None}


@cache
def _page_statement(names: frozenset[str], projection: JsonProjection) -> JsonPageQuery:
    parameters: dict[str, Any] = {name: parameter(name) for name in names}
    organization_id: BindParameter[UUID] = parameters["organization_id"]
    return JsonPageQuery(
        projection,
        matching=_in_order(parameters) if names & FLAGS and not names & NARROW_FILTERS else _matching(parameters),
        rows=_rows(organization_id),
    )


def _rows(organization_id: Tenant) -> Rows:
    return lambda wanted: with_id(_select(organization_id), Voucher.__table__.c.id, wanted)


def _begins_with(search: str | None) -> list[ColumnElement[bool]]:
    return [] if search is None else [begins_with(Voucher.__table__.c.code, codes.stored_code(search))]


def _in_order(values: Mapping[str, Any]) -> list[Select[UUID]]:
    # One select for each combination of both flags, because the index is in id order only within a combination.
    missing = FLAGS - values.keys()
    combinations = product([true(), false()], repeat=len(missing))
    return [_matching({**values, **dict(zip(missing, flags, strict=True))}) for flags in combinations]


def _matching(values: Mapping[str, Any]) -> Select[UUID]:
    return select(Voucher.id).where(*_conditions(values))


def _conditions(
    values: Mapping[str, Any], voucher: ReadOnlyColumnCollection[str, Any] = Voucher.__table__.c
) -> list[ColumnElement[bool]]:
    """The conditions of a filter by values, or by parameters for them, on these columns of vouchers."""
    organization_id = values["organization_id"]
    conditions = [voucher.organization_id == organization_id]
    if "own_partner_id" in values:
        conditions.append(voucher.partner_id == values["own_partner_id"])
    if values.keys() & FLAGS:
        # A filter by one flag also names the other, because the index has both before the id.
        conditions += [
            column == values[name] if name in values else column.in_([True, False])
            for name, column in (("is_used", voucher.is_used), ("is_active", voucher.is_active))
        ]
    if "purchase_code" in values:
        purchase = select(VoucherPurchase.id).where(
            VoucherPurchase.organization_id == organization_id, VoucherPurchase.code == values["purchase_code"]
        )
        conditions.append(voucher.purchase_id == purchase.scalar_subquery())
    if "exam_key" in values:
        exam = select(StoreExam.id).where(
            StoreExam.organization_id == organization_id, StoreExam.code_key == values["exam_key"]
        )
        conditions.append(voucher.store_exam_id == exam.scalar_subquery())
    columns = ("code", "recipient_email_key", "reservation_code", "purchase_id", "partner_id", "is_archived")
    return conditions + [voucher[name] == values[name] for name in columns if name in values]


def _select(organization_id: Tenant) -> Select[*tuple[Any, ...]]:
    columns = [column for column in Voucher.__table__.columns if column.key != "organization_id"]
    # Subqueries, because with joins the planner may start from the purchases and read all their vouchers for each row.
    return select(
        *columns,
        _code_of(VoucherPurchase, Voucher.purchase_id, organization_id).label("purchase_code"),
        _code_of(StoreExam, Voucher.store_exam_id, organization_id).label("store_exam_code"),
    ).where(Voucher.organization_id == organization_id)


def _code_of(
    table: type[VoucherPurchase] | type[StoreExam], id_: InstrumentedAttribute[Any], organization_id: Tenant
) -> ScalarSelect[str]:
    code = select(table.code).where(table.organization_id == organization_id)
    return with_id(code, table.__table__.c.id, id_).scalar_subquery()


def _order(filters: VoucherFilter) -> list[ColumnElement[Any]]:
    # The order of the index behind the filter, so that a page costs the same at any depth.
    names = ["id"]
    if filters.purchase_id or filters.purchase_code or filters.recipient_email or filters.store_exam_code:
        names = ["partner_id", "id"]
    elif filters.reservation_code or filters.voucher_code:
        names = ["id"]
    elif filters.partner_id:
        names = ["is_active", "is_used", "id"]
    elif filters.is_active is not None or filters.is_used is not None:
        names = ["is_used", "is_active", "id"]
    return [Voucher.__table__.c[name] for name in names]
