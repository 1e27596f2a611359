"""Statements for the management of promo codes of every kind: single codes, edits, and lists of any length."""

from collections.abc import Collection, Container
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    Text,
    and_,
    any_,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from tessera.catalog.tables import StoreExam
from tessera.kit.db.pages import (
    CursorOrder,
    CursorPage,
    begins_with,
    fetch_cursor_page,
    fetch_few,
    fetch_merged_cursor_page,
)
from tessera.kit.db.single_rows import with_id
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.normalization import key_of
from tessera.promo_codes.management.records import ManagedFilter, ManagedPromoCode
from tessera.promo_codes.restrictions import repository as restrictions
from tessera.promo_codes.rules import terms_of
from tessera.promo_codes.tables import PromoCode, PromoCodeEmailAddress, PromoCodeProductBundle, PromoCodeStoreExam
from tessera.record_metadata.repository import RECORD_ID, MetadataFilter
from tessera.record_metadata.rules import KeyAndText, Kind

_COMPARED = ("status", "kind", "batch_id", "campaign_key")


class ManagedPromoCodeRepository:
    """The promo codes of the organization that the unit of work is pinned to, of every kind."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def find(self, promo_code_id: UUID) -> ManagedPromoCode | None:
        """The promo code with this id and all its restrictions."""
        addresses = restrictions.email_addresses(self._organization_id).label("email_addresses")
        statement = self._codes().add_columns(addresses).where(self._is(promo_code_id))
        row = (await self._connection.execute(statement)).first()
        return None if row is None else _managed(row)

    async def find_all(self, names: Collection[str]) -> list[ManagedPromoCode]:
        """The promo codes with these names and all their restrictions."""
        keys = literal([key_of(name) for name in names], ARRAY(Text))
        addresses = restrictions.email_addresses(self._organization_id).label("email_addresses")
        statement = (
            self._codes()
            .add_columns(addresses)
            .where(PromoCode.organization_id == self._organization_id, PromoCode.name_key == any_(keys))
        )
        return [_managed(row) for row in await self._connection.execute(statement)]

    async def count_addresses(self, names: Collection[str]) -> dict[str, int]:
        """The numbers of addresses of the promo codes with these names that have any, by the key of the name."""
        keys = literal([key_of(name) for name in names], ARRAY(Text))
        statement = (
            select(PromoCode.name_key, func.count().label("addresses"))
            .join(PromoCodeEmailAddress, restrictions.is_of_promo_code(PromoCodeEmailAddress))
            .where(PromoCode.organization_id == self._organization_id, PromoCode.name_key == any_(keys))
            .group_by(PromoCode.name_key)
        )
        return {row.name_key: row.addresses for row in await self._connection.execute(statement)}

    async def lock(self, promo_code_id: UUID) -> ManagedPromoCode | None:
        """The promo code with this id, locked FOR UPDATE."""
        statement = select(PromoCode.id).where(self._is(promo_code_id)).with_for_update()
        await self._connection.execute(statement)
        # A separate read, because a statement that waits for a lock sees the restrictions from before it waited.
        return await self.find(promo_code_id)

    async def get_uses(self, promo_code_id: UUID) -> tuple[int, int]:
        """The numbers of redeemed and held uses of a locked promo code; 0 if it has no limit in total."""
        statement = select(PromoCode.redemption_count, PromoCode.held_count).where(self._is(promo_code_id))
        row = (await self._connection.execute(statement)).one()
        return row.redemption_count, row.held_count

    async def change_uses(self, promo_code_id: UUID, *, redeemed: int, held: int) -> None:
        """Write the numbers of uses of a locked promo code; without a limit in total they are 0."""
        values = {"redemption_count": redeemed, "held_count": held}
        await self._connection.execute(update(PromoCode).where(self._is(promo_code_id)).values(values))

    async def list_exams(self, promo_code_id: UUID) -> dict[str, tuple[UUID, str]]:
        """The id and code of the promo code's exams, including archived ones, by the key of the exam's code."""
        statement = (
            select(StoreExam.code_key, StoreExam.id, StoreExam.code)
            .join(PromoCodeStoreExam, PromoCodeStoreExam.store_exam_id == StoreExam.id)
            .where(
                StoreExam.organization_id == self._organization_id,
                PromoCodeStoreExam.organization_id == self._organization_id,
                PromoCodeStoreExam.promo_code_id == promo_code_id,
            )
        )
        return {row.code_key: (row.id, row.code) for row in await self._connection.execute(statement)}

    async def change(self, code: ManagedPromoCode) -> None:
        """Write the columns of a locked promo code, without its restrictions, which are rows of other tables."""
        values = terms_of(code) | {
            "campaign_key": code.campaign_key,
            "status": code.status,
            "restrict_to_email_addresses": code.restrict_to_email_addresses,
            "has_store_exams": bool(code.store_exam_codes),
            "has_product_bundles": bool(code.product_bundle_ids),
            "version": code.version,
        }
        await self._connection.execute(update(PromoCode).where(self._is(code.id)).values(values))

    async def remove_restrictions(self, promo_code_id: UUID) -> None:
        """Delete the exams, bundles and addresses of a locked promo code."""
        for table in (PromoCodeStoreExam, PromoCodeProductBundle, PromoCodeEmailAddress):
            await self._connection.execute(
                delete(table).where(
                    table.organization_id == self._organization_id, table.promo_code_id == promo_code_id
                )
            )

    async def list_by_cursor(
        self, filters: ManagedFilter, *, search: str | None, newest: bool, after: str | None, size: int
    ) -> CursorPage[ManagedPromoCode]:
        """A page of promo codes without their addresses; raises Invalid, TooManyResults."""
        position: dict[str, Any] = {"after": after, "size": size}
        if search is None and filters.metadata is not None:
            statement = self._codes().where(*self._own_conditions(replace(filters, metadata=None)))
            by_metadata = self._by_metadata(filters.metadata, PromoCode.__table__.c.id)
            page = await by_metadata.fetch_page(self._connection, statement, descending=newest, **position)
        elif search is None:
            statement, columns = self._matching(self._codes(), filters)
            order = CursorOrder(columns=columns, descending=newest)
            page = await fetch_cursor_page(self._connection, statement, order=order, **position)
        elif newest or filters != ManagedFilter():
            page = await self._search_few(filters, search, newest=newest, after=after, size=size)
        else:
            order = CursorOrder(columns=[PromoCode.__table__.c.name_key], bytewise=True)
            statement = self._codes().where(*self._begin_with(search))
            page = await fetch_cursor_page(self._connection, statement, order=order, **position)
        return page.map(_managed)

    async def _search_few(
        self, filters: ManagedFilter, search: str, *, newest: bool, after: str | None, size: int
    ) -> CursorPage[AnyRow]:
        columns = [PromoCode.__table__.c[name] for name in ("id", "name_key", *_COMPARED)]
        matches = await fetch_few(self._connection, select(*columns).where(*self._begin_with(search)))
        ids = select(matches.c.id).where(*_equal(matches.c, filters))
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

    async def list_after(self, filters: ManagedFilter, *, after: UUID | None, size: int) -> list[ManagedPromoCode]:
        """The next promo codes after this id, in the order of the index, with all their restrictions."""
        addresses = restrictions.email_addresses(self._organization_id).label("email_addresses")
        statement, order = self._matching(self._codes().add_columns(addresses), filters)
        if after is not None:
            position = [*filters.ordered.values(), after][-len(order) :]
            statement = statement.where(tuple_(*order) > tuple_(*map(literal, position)))
        rows = await self._connection.execute(statement.order_by(*order).limit(size))
        return [_managed(row) for row in rows]

    async def count(self, filters: ManagedFilter) -> int:
        """The number of promo codes that match."""
        matching, _ = self._matching(select(PromoCode.id), filters)
        statement = select(func.count()).select_from(matching.subquery())
        return int((await self._connection.execute(statement)).scalar_one())

    def _listed(self, promo_code_id: ColumnElement[UUID]) -> Select[*tuple[Any, ...]]:
        code = PromoCode.__table__.c
        return with_id(self._codes().where(code.organization_id == self._organization_id), code.id, promo_code_id)

    def _is(self, promo_code_id: UUID) -> ColumnElement[bool]:
        return and_(PromoCode.organization_id == self._organization_id, PromoCode.id == promo_code_id)

    def _codes(self) -> Select[*tuple[Any, ...]]:
        columns = [column for column in PromoCode.__table__.columns if column.key != "organization_id"]
        return select(
            *columns,
            restrictions.store_exam_codes(self._organization_id).label("store_exam_codes"),
            restrictions.product_bundle_ids(self._organization_id).label("product_bundle_ids"),
        )

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
        statement = statement.where(code.organization_id == self._organization_id)
        # Ranges of one value, and the first columns of the order. With `=`, the planner, whose statistics are averages
        # over all tenants, would read the index by id and scan all codes for a few matches at the end.
        for name, value in filters.ordered.items():
            statement = statement.where(code[name] >= literal(value), code[name] <= literal(value))
        order = [code[name] for name in filters.ordered]
        return statement.where(*_equal(code, filters, without=filters.ordered)), [*order, code.id]

    def _own_conditions(self, filters: ManagedFilter) -> list[ColumnElement[bool]]:
        """The filters as conditions of one code."""
        code = PromoCode.__table__.c
        is_own = code.organization_id == self._organization_id
        return [is_own, *_equal(code, filters), *self._restrictions(code.id, filters)]

    def _by_metadata(self, pair: KeyAndText, promo_code_id: ColumnElement[UUID]) -> MetadataFilter:
        return MetadataFilter(
            kind=Kind.PROMO_CODE, organization_id=self._organization_id, pair=pair, record_id=promo_code_id
        )


_FIELDS = tuple(ManagedPromoCode.__dataclass_fields__)


def _managed(row: AnyRow) -> ManagedPromoCode:
    values: dict[str, Any] = {name: getattr(row, name, None) for name in _FIELDS}
    return ManagedPromoCode(**values)


def _equal(
    columns: ReadOnlyColumnCollection[str, Any], filters: ManagedFilter, *, without: Container[str] = ()
) -> list[ColumnElement[bool]]:
    """The filters by columns of the table itself."""
    values = {
        "name_key": None if filters.name is None else key_of(filters.name),
        "status": filters.status,
        "kind": filters.kind,
        "batch_id": filters.batch_id,
        "campaign_key": filters.campaign_key,
    }
    names = [name for name, value in values.items() if value is not None and name not in without]
    return [columns[name] == literal(values[name]) for name in names]
