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
from tessera.kit.db.compiled_queries import parameter, run_all
from tessera.kit.db.json_projection import JsonProjection
from tessera.kit.db.pages import (
    JsonPage,
    JsonPageQuery,
    Rows,
)
from tessera.kit.db.selective import (
    SelectivityQuery,
    find_selective_names,
    with_ids,
)
from tessera.kit.db.single_rows import with_id
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.errors import TooManyResults
from tessera.kit.normalization import email_key, key_of
from tessera.record_metadata.rules import KeyAndText
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


class VoucherListRepository:
    """The vouchers visible to the unit of work."""

    def __init__(self, work: UnitOfWork) -> None:
        self._work = work
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def list_pages(
        self, requests: Sequence[tuple[VoucherFilter, int]], *, projection: JsonProjection
    ) -> list[JsonPage | TooManyResults]:
        """Numbered pages of vouchers with the codes of their purchases and exams, as JSON."""
        all_values = [values_of(filters, self._work) for filters, _ in requests]
        queries = [(_selectivity(frozenset(values)), values) for values in all_values]
        names = await find_selective_names(self._connection, queries)
        pages = [
            _page_statement(frozenset(values), name, projection).page(values, number=number)
            for values, name, (_, number) in zip(all_values, names, requests, strict=True)
        ]
        return await run_all(self._connection, pages)

    async def find(self, voucher_id: UUID) -> AnyRow | None:
        """The voucher with this id."""
        statement = select_vouchers(self._organization_id).where(Voucher.id == voucher_id)
        return (await self._connection.execute(statement)).first()

    async def find_id(self, code: str) -> UUID | None:
        """The id of the voucher with this code, ignoring case."""
        statement = select(Voucher.id).where(
            Voucher.organization_id == self._organization_id, Voucher.code == codes.stored_code(code)
        )
        return (await self._connection.execute(statement)).scalar_one_or_none()


def values_of(filters: VoucherFilter, work: UnitOfWork) -> dict[str, Any]:
    """The values of a filter, by the names of its parameters."""
    values = {
        "organization_id": work.organization_id,
        "own_partner_id": work.partner_id,
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
def _page_statement(names: frozenset[str], selective: str | None, projection: JsonProjection) -> JsonPageQuery:
    parameters: dict[str, Any] = {name: parameter(name) for name in names}
    organization_id: BindParameter[UUID] = parameters["organization_id"]
    matching: Select[UUID] | list[Select[UUID]] = _matching(parameters)
    if selective is not None:
        matching = with_ids(_matching(parameters), Voucher.__table__.c.id, by_index(parameters)[selective])
    elif names & FLAGS and not names & NARROW_FILTERS:
        matching = in_order(parameters)
    return JsonPageQuery(projection, matching=matching, rows=rows_of(organization_id))


@cache
def _selectivity(names: frozenset[str]) -> SelectivityQuery[str]:
    return SelectivityQuery.of(by_index({name: parameter(name) for name in names}))


def by_index(values: Mapping[str, Any]) -> dict[str, Select[UUID]]:
    """The vouchers of each filter that has an index, by its name; both flags share one."""
    common = {name: values[name] for name in ("organization_id", "own_partner_id") if name in values}
    flags = {name: values[name] for name in values if name in FLAGS}
    names = [name for name in values if name not in common and name not in FLAGS and values[name] is not False]
    parts = {name: {name: values[name]} for name in names}
    if flags:
        parts["flags"] = flags
    if "partner_id" in parts:
        parts["partner_id"] |= flags
    return {name: _matching({**common, **part}) for name, part in parts.items()}


def rows_of(organization_id: Tenant) -> Rows:
    """The voucher with an id, as `select_vouchers` selects it."""
    return lambda wanted: with_id(select_vouchers(organization_id), Voucher.__table__.c.id, wanted)


def in_order(values: Mapping[str, Any]) -> list[Select[UUID]]:
    """The vouchers that match, in parts each of which an index returns in the order of ids."""
    # One select for each combination of both flags, because the index is in id order only within a combination.
    missing = FLAGS - values.keys()
    combinations = product([true(), false()], repeat=len(missing))
    return [_matching({**values, **dict(zip(missing, flags, strict=True))}) for flags in combinations]


def _matching(values: Mapping[str, Any]) -> Select[UUID]:
    return select(Voucher.id).where(*conditions_of(values))


def conditions_of(
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


def select_vouchers(organization_id: Tenant) -> Select[*tuple[Any, ...]]:
    """The vouchers of an organization, with the codes of their purchases and exams."""
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
