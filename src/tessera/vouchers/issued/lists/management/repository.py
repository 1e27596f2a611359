"""Statements on lists of one tenant's vouchers without a cap, with filters in several orders."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select

from tessera.kit.db.pages import (
    CursorOrder,
    CursorPage,
    begins_with,
    fetch_cursor_page,
    fetch_few,
    fetch_merged_cursor_page,
)
from tessera.kit.db.selective import SEVERAL, fetch_page_from, fetch_selected_page, find_selective
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.record_metadata.repository import MetadataFilter
from tessera.record_metadata.rules import KeyAndText, Kind
from tessera.vouchers import codes
from tessera.vouchers.issued.lists.repository import (
    NARROW_FILTERS,
    SORTED_FILTERS,
    UNSORTED_FILTERS,
    VoucherFilter,
    by_index,
    conditions_of,
    in_order,
    rows_of,
    select_vouchers,
    values_of,
)
from tessera.vouchers.tables import Voucher

_BY_CODE = CursorOrder(columns=[Voucher.__table__.c.code], bytewise=True)
# The orders in which the indexes of filters return vouchers.
_ORDERS = {
    "purchase_id": ("partner_id", "id"),
    "purchase_code": ("partner_id", "id"),
    "recipient_email_key": ("partner_id", "id"),
    "exam_key": ("partner_id", "id"),
    "reservation_code": ("id",),
    "code": ("id",),
    "is_archived": ("id",),
    "partner_id": ("is_active", "is_used", "id"),
    "flags": ("is_used", "is_active", "id"),
}
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


class ManagedVoucherListRepository:
    """The vouchers visible to the unit of work, in lists by cursor."""

    def __init__(self, work: UnitOfWork) -> None:
        self._work = work
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def list_by_cursor(
        self, filters: VoucherFilter, *, search: str | None, newest: bool, after: str | None, size: int
    ) -> CursorPage[AnyRow]:
        """A page of vouchers, in the order of the index that finds them, or the newest first."""
        values = values_of(filters, self._work)
        page: dict[str, Any] = {"after": after, "size": size}
        if search is None and filters.metadata is None:
            return await self._list_filtered(values, newest=newest, **page)
        if search is None and filters.metadata is not None:
            vouchers = select_vouchers(self._organization_id).where(*conditions_of(values))
            by_metadata = self._by_metadata(filters.metadata, Voucher.__table__.c.id)
            return await by_metadata.fetch_page(self._connection, vouchers, descending=newest, **page)
        if newest or values.keys() != {"organization_id"} or filters.metadata is not None:
            parts, order = await self._few(values, search, filters.metadata, newest=newest)
            return await self._fetch_merged(parts, order, **page)
        vouchers = select_vouchers(self._organization_id).where(*_begins_with(search))
        return await fetch_cursor_page(self._connection, vouchers, order=_BY_CODE, **page)

    async def _list_filtered(
        self, values: Mapping[str, Any], *, newest: bool, after: str | None, size: int
    ) -> CursorPage[AnyRow]:
        page: dict[str, Any] = {"after": after, "size": size}
        vouchers = select_vouchers(self._organization_id).where(*conditions_of(values))
        filters = by_index(values)
        names = sorted(filters, key=list(_ORDERS).index)
        is_sorted = bool(values.keys() & SORTED_FILTERS) and not filters.keys() & NARROW_FILTERS
        is_unsorted = newest and bool(values.keys() & UNSORTED_FILTERS)
        by_id = not names or (newest and is_sorted) or is_unsorted
        # The order of the index behind the first filter, so that a page costs the same at any depth.
        columns = [Voucher.__table__.c[name] for name in (("id",) if by_id else _ORDERS[names[0]])]
        order = CursorOrder(columns=columns, descending=newest)
        ids = await find_selective(self._connection, list(filters.values()))
        if ids is not None:
            return await fetch_selected_page(self._connection, vouchers, ids=ids, order=order, **page)
        if is_unsorted:
            return await self._fetch_merged(*await self._few(values, None, None, newest=newest), **page)
        if is_sorted:
            return await self._fetch_merged(in_order(values), order, **page)
        if len(values.keys() - {"organization_id", "own_partner_id"}) < SEVERAL:
            return await fetch_cursor_page(self._connection, vouchers, order=order, **page)
        base = filters[names[0]].with_only_columns(*columns)
        return await fetch_page_from(self._connection, vouchers, base=base, order=order, **page)

    async def _fetch_merged(
        self, parts: Sequence[Select[UUID]], order: CursorOrder, *, after: str | None, size: int
    ) -> CursorPage[AnyRow]:
        rows = rows_of(self._organization_id)
        return await fetch_merged_cursor_page(self._connection, parts, rows=rows, order=order, after=after, size=size)

    async def _few(
        self, values: Mapping[str, Any], search: str | None, pair: KeyAndText | None, *, newest: bool
    ) -> tuple[list[Select[UUID]], CursorOrder]:
        """The vouchers that an index finds by the search, or else by the unsorted filters, to be sorted differently."""
        keys = {"organization_id"} if search is not None else {"organization_id", "own_partner_id", *UNSORTED_FILTERS}
        indexed = {name: value for name, value in values.items() if name in keys}
        columns = [Voucher.__table__.c[name] for name in _FILTERED]
        matching = select(*columns).where(*conditions_of(indexed), *_begins_with(search))
        matches = await fetch_few(self._connection, matching)
        ids = select(matches.c.id).where(*conditions_of(values, matches.c))
        if pair is not None:
            ids = ids.where(self._by_metadata(pair, matches.c.id).has_text())
        by_code = CursorOrder(columns=[matches.c.code], bytewise=True)
        return [ids], CursorOrder(columns=[matches.c.id], descending=True) if newest else by_code

    def _by_metadata(self, pair: KeyAndText, voucher_id: ColumnElement[UUID]) -> MetadataFilter:
        return MetadataFilter(kind=Kind.VOUCHER, organization_id=self._organization_id, pair=pair, record_id=voucher_id)


def _begins_with(search: str | None) -> list[ColumnElement[bool]]:
    return [] if search is None else [begins_with(Voucher.__table__.c.code, codes.stored_code(search))]
