"""Statements on lists of promo codes of every kind, of any length."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    func,
    literal,
    select,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from tessera.kit.db.pages import (
    CursorOrder,
    CursorPage,
    begins_with,
    fetch_cursor_page,
    fetch_few,
    fetch_merged_cursor_page,
)
from tessera.kit.db.selective import SEVERAL, fetch_filtered_page
from tessera.kit.db.single_rows import with_id
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.normalization import key_of
from tessera.promo_codes.management.records import ManagedFilter, ManagedPromoCode
from tessera.promo_codes.management.repository import managed, select_codes
from tessera.promo_codes.restrictions import repository as restrictions
from tessera.promo_codes.tables import PromoCode, PromoCodeProductBundle, PromoCodeStoreExam
from tessera.record_metadata.repository import RECORD_ID, MetadataFilter
from tessera.record_metadata.rules import KeyAndText, Kind

_COMPARED = ("status", "kind", "batch_id", "campaign_key")


class ManagedPromoCodeListRepository:
    """The promo codes of the organization that the unit of work is pinned to, of every kind, in lists."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def list_by_cursor(
        self, filters: ManagedFilter, *, search: str | None, newest: bool, after: str | None, size: int
    ) -> CursorPage[ManagedPromoCode]:
        """A page of promo codes without their addresses; raises Invalid, TooManyResults."""
        if search is None:
            page = await self._list(self._codes(), filters, newest=newest, after=after, size=size)
        elif newest or filters != ManagedFilter():
            page = await self._search_few(filters, search, newest=newest, after=after, size=size)
        else:
            order = CursorOrder(columns=[PromoCode.__table__.c.name_key], bytewise=True)
            statement = self._codes().where(*self._begin_with(search))
            page = await fetch_cursor_page(self._connection, statement, order=order, after=after, size=size)
        return page.map(managed)

    async def list_with_addresses(
        self, filters: ManagedFilter, *, after: str | None, size: int
    ) -> CursorPage[ManagedPromoCode]:
        """A page of promo codes with all their restrictions, in the order of the index; raises Invalid."""
        addresses = restrictions.email_addresses(self._organization_id).label("email_addresses")
        codes = self._codes().add_columns(addresses)
        page = await self._list(codes, filters, newest=False, after=after, size=size)
        return page.map(managed)

    async def _list(
        self,
        codes: Select[*tuple[Any, ...]],
        filters: ManagedFilter,
        *,
        newest: bool,
        after: str | None,
        size: int,
    ) -> CursorPage[AnyRow]:
        position: dict[str, Any] = {"after": after, "size": size}
        code = PromoCode.__table__.c
        if filters.metadata is not None:
            matching = codes.where(*self._own_conditions(replace(filters, metadata=None)))
            by_metadata = self._by_metadata(filters.metadata, code.id)
            return await by_metadata.fetch_page(self._connection, matching, descending=newest, **position)
        by_index = self._by_index(filters)
        matching, columns = self._matching(codes, filters)
        if len(by_index) < SEVERAL:
            order = CursorOrder(columns=columns, descending=newest)
            return await fetch_cursor_page(self._connection, matching, order=order, **position)
        matching = codes.where(*self._own_conditions(filters))
        order = CursorOrder(columns=[*columns[:-1], code.id], descending=newest)
        return await fetch_filtered_page(self._connection, matching, filters=by_index, order=order, **position)

    def _by_index(self, filters: ManagedFilter) -> list[Select[*tuple[Any, ...]]]:
        """The filters that have an index; that of the first one returns the order of the list."""
        by_index: list[Select[*tuple[Any, ...]]] = []
        if filters.product_bundle_id is not None:
            bundle = PromoCodeProductBundle.__table__.c
            of_bundle = bundle.product_bundle_id == filters.product_bundle_id
            by_index.append(
                select(bundle.promo_code_id).where(bundle.organization_id == self._organization_id, of_bundle)
            )
        if filters.store_exam_code is not None:
            exam = PromoCodeStoreExam.__table__.c
            of_exam = exam.store_exam_id == self._exam_id(filters.store_exam_code)
            by_index.append(select(exam.promo_code_id).where(exam.organization_id == self._organization_id, of_exam))
        code = PromoCode.__table__.c
        codes = select(*(code[name] for name in filters.ordered), code.id).where(
            code.organization_id == self._organization_id
        )
        values = _own_values(filters)
        for names in (("campaign_key",), ("status", "kind"), ("batch_id",), ("name_key",)):
            if part := {name: values[name] for name in names if name in values}:
                by_index.append(codes.where(*_equal(code, part)))
        return by_index

    async def _search_few(
        self, filters: ManagedFilter, search: str, *, newest: bool, after: str | None, size: int
    ) -> CursorPage[AnyRow]:
        columns = [PromoCode.__table__.c[name] for name in ("id", "name_key", *_COMPARED)]
        matches = await fetch_few(self._connection, select(*columns).where(*self._begin_with(search)))
        ids = select(matches.c.id).where(*_equal(matches.c, _own_values(filters)))
        ids = ids.where(*self._restrictions(matches.c.id, filters))
        order = CursorOrder(columns=[matches.c.id], descending=True)
        if not newest:
            order = CursorOrder(columns=[matches.c.name_key], bytewise=True)
        return await fetch_merged_cursor_page(
            self._connection,
            [ids],
            rows=self._listed,
            order=order,
            after=after,
            size=size,
        )

    def _begin_with(self, search: str) -> list[ColumnElement[bool]]:
        code = PromoCode.__table__.c
        return [code.organization_id == self._organization_id, begins_with(code.name_key, key_of(search))]

    def _restrictions(self, promo_code_id: ColumnElement[UUID], filters: ManagedFilter) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if filters.store_exam_code is not None:
            exam_id = self._exam_id(filters.store_exam_code)
            conditions.append(restrictions.has_exam(promo_code_id, exam_id, self._organization_id))
        if filters.product_bundle_id is not None:
            conditions.append(restrictions.has_bundle(promo_code_id, filters.product_bundle_id, self._organization_id))
        if filters.metadata is not None:
            conditions.append(self._by_metadata(filters.metadata, promo_code_id).has_text())
        return conditions

    def _exam_id(self, code: str) -> ScalarSelect[UUID]:
        return restrictions.exam_id(self._organization_id, literal(key_of(code)))

    async def count(self, filters: ManagedFilter) -> int:
        """The number of promo codes that match."""
        ids = select(PromoCode.id).where(PromoCode.organization_id == self._organization_id)
        matching, _ = self._matching(ids, filters)
        statement = select(func.count()).select_from(matching.subquery())
        return int((await self._connection.execute(statement)).scalar_one())

    def _listed(self, promo_code_id: ColumnElement[UUID]) -> Select[*tuple[Any, ...]]:
        code = PromoCode.__table__.c
        return with_id(self._codes(), code.id, promo_code_id)

    def _codes(self) -> Select[*tuple[Any, ...]]:
        return select_codes(self._organization_id)

    def _matching(
        self, statement: Select[*tuple[Any, ...]], filters: ManagedFilter
    ) -> tuple[Select[*tuple[Any, ...]], list[ColumnElement[Any]]]:
        """The statement with these filters, and the columns of the order in which an index returns the matches."""
        code = PromoCode.__table__.c
        if filters.metadata is not None:
            others = statement.where(*self._own_conditions(replace(filters, metadata=None)))
            return self._by_metadata(filters.metadata, code.id).apply(others), [RECORD_ID]
        if filters.product_bundle_id is not None:
            bundle = PromoCodeProductBundle
            others = statement.where(*self._own_conditions(replace(filters, product_bundle_id=None)))
            is_of_bundle = bundle.product_bundle_id == filters.product_bundle_id
            statement = restrictions.codes_restricted_to(others, bundle, is_of_bundle, self._organization_id)
            return statement, [bundle.__table__.c.promo_code_id]
        if filters.store_exam_code is not None:
            exam = PromoCodeStoreExam
            others = statement.where(*self._own_conditions(replace(filters, store_exam_code=None)))
            is_of_exam = exam.store_exam_id == self._exam_id(filters.store_exam_code)
            statement = restrictions.codes_restricted_to(others, exam, is_of_exam, self._organization_id)
            return statement, [exam.__table__.c.promo_code_id]
        # Ranges of one value, and the first columns of the order. With `=`, the planner, whose statistics are averages
        # over all tenants, would read the index by id and scan all codes for a few matches at the end.
        for name, value in filters.ordered.items():
            statement = statement.where(code[name] >= literal(value), code[name] <= literal(value))
        order = [code[name] for name in filters.ordered]
        unordered = {name: value for name, value in _own_values(filters).items() if name not in filters.ordered}
        return statement.where(*_equal(code, unordered)), [*order, code.id]

    def _own_conditions(self, filters: ManagedFilter) -> list[ColumnElement[bool]]:
        """The filters as conditions of one code."""
        code = PromoCode.__table__.c
        return [*_equal(code, _own_values(filters)), *self._restrictions(code.id, filters)]

    def _by_metadata(self, pair: KeyAndText, promo_code_id: ColumnElement[UUID]) -> MetadataFilter:
        return MetadataFilter(
            kind=Kind.PROMO_CODE, organization_id=self._organization_id, pair=pair, record_id=promo_code_id
        )


def _own_values(filters: ManagedFilter) -> dict[str, Any]:
    """The filters by columns of the table itself."""
    values = {
        "name_key": None if filters.name is None else key_of(filters.name),
        "status": filters.status,
        "kind": filters.kind,
        "batch_id": filters.batch_id,
        "campaign_key": filters.campaign_key,
    }
    return {name: value for name, value in values.items() if value is not None}


def _equal(columns: ReadOnlyColumnCollection[str, Any], values: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    return [columns[name] == literal(value) for name, value in values.items()]
