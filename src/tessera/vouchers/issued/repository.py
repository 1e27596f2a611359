"""Statements on vouchers of one tenant."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, ScalarSelect, Select, delete, false, insert, select, true
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import InstrumentedAttribute

from tessera.catalog.tables import StoreExam
from tessera.kit.db.compiled_queries import parameter
from tessera.kit.db.json_projection import JsonProjection
from tessera.kit.db.pages import CursorPage, JsonPage, JsonPageQuery, fetch_cursor_page, fetch_pages
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.errors import TooManyResults
from tessera.kit.identifiers import new_id_text
from tessera.kit.normalization import key_of
from tessera.vouchers import codes
from tessera.vouchers.rules import ReservationStatus
from tessera.vouchers.tables import Voucher, VoucherCodeSpace, VoucherPurchase


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVoucher:
    """A voucher to add, in any state."""

    id: UUID
    purchase_id: UUID
    partner_id: UUID
    code: str
    expires_at: datetime
    is_active: bool = True
    assigned_at: datetime | None = None
    recipient_email: str | None = None
    reservation_code: str | None = None
    reservation_status: ReservationStatus | None = None
    store_exam_id: UUID | None = None
    used_at: datetime | None = None
    used_by_person_id: str | None = None
    used_by_client_candidate_id: str | None = None
    used_by_first_name: str | None = None
    used_by_last_name: str | None = None
    is_archived: bool = False


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


Tenant = UUID | BindParameter[UUID]
FLAGS = frozenset({"is_active", "is_used"})
# Filters with a separate index, which is not in id order.
NARROW_FILTERS = frozenset(
    {"purchase_code", "exam_key", "code", "recipient_email_key", "reservation_code", "purchase_id", "is_archived"}
)

# The fastest insert that row-level security allows, since it rejects COPY. Ids and codes are two text parameters
# because the driver takes several times as long to encode arrays.
ADD_BATCH = """
insert into vouchers (
    organization_id, purchase_id, partner_id, is_active, is_archived, version, expires_at, id, code
)
select %(organization_id)s, %(purchase_id)s, %(partner_id)s, true, false, 1, %(expires_at)s, batch.id, batch.code
from unnest(string_to_array(%(ids)s, ',')::uuid[], string_to_array(%(codes)s, ',')) as batch (id, code)
on conflict (organization_id, code) do nothing
"""


class VoucherRepository:
    """The vouchers visible to the unit of work."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._partner_id = work.partner_id

    async def count_code_space(self, prefix: str) -> int:
        """The number of issued codes with this prefix."""
        statement = select(VoucherCodeSpace.issued).where(
            VoucherCodeSpace.organization_id == self._organization_id, VoucherCodeSpace.prefix == prefix
        )
        return (await self._connection.execute(statement)).scalar_one_or_none() or 0

    async def claim_code_space(self, prefix: str, quantity: int) -> int:
        """Add `quantity` to the issued codes of this prefix and return the sum; locks the prefix."""
        insertion = upsert(VoucherCodeSpace).values(
            organization_id=self._organization_id, prefix=prefix, issued=quantity
        )
        statement = insertion.on_conflict_do_update(
            constraint="voucher_code_spaces_pk", set_={"issued": VoucherCodeSpace.issued + quantity}
        ).returning(VoucherCodeSpace.issued)
        return (await self._connection.execute(statement)).scalar_one()

    async def add_batch(
        self, codes: Sequence[str], *, purchase_id: UUID, partner_id: UUID, expires_at: datetime
    ) -> int:
        """Add a voucher for each unused code; returns the number of added vouchers."""
        result = await self._connection.exec_driver_sql(
            ADD_BATCH,
            {
                "organization_id": self._organization_id,
                "purchase_id": purchase_id,
                "partner_id": partner_id,
                "expires_at": expires_at,
                "ids": ",".join(new_id_text() for _ in codes),
                "codes": ",".join(codes),
            },
        )
        return result.rowcount

    async def remove_batch(self, purchase_id: UUID) -> None:
        """Remove the vouchers of a purchase that is not committed yet."""
        await self._connection.execute(
            delete(Voucher).where(Voucher.organization_id == self._organization_id, Voucher.purchase_id == purchase_id)
        )

    async def add_all(self, vouchers: Sequence[NewVoucher]) -> None:
        """Add vouchers in any state; a taken code raises the driver's error."""
        rows = [{"organization_id": self._organization_id, **asdict(voucher)} for voucher in vouchers]
        await self._connection.execute(insert(Voucher), rows)

    async def list_pages(
        self, requests: Sequence[tuple[VoucherFilter, int]], *, projection: JsonProjection
    ) -> list[JsonPage | TooManyResults]:
        """Numbered pages of vouchers with the codes of their purchases and exams, as JSON."""
        pages = []
        for filters, number in requests:
            values = self._values(filters)
            pages.append(_page_statement(frozenset(values), projection).page(values, number=number))
        return await fetch_pages(self._connection, pages)

    async def list_by_cursor(self, filters: VoucherFilter, *, after: str | None, size: int) -> CursorPage[AnyRow]:
        """A page of vouchers, in the order of the index that finds them."""
        statement = _select(self._organization_id).where(*_conditions(self._values(filters)))
        return await fetch_cursor_page(self._connection, statement, order=_order(filters), after=after, size=size)

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
            "recipient_email_key": filters.recipient_email and key_of(filters.recipient_email),
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
        rows=lambda page: _select(organization_id).join(page, Voucher.id == page.c.id),
    )


def _in_order(values: Mapping[str, Any]) -> list[Select[UUID]]:
    # One select for each combination of both flags, because the index is in id order only within a combination.
    missing = FLAGS - values.keys()
    combinations = (dict.fromkeys(missing, value) for value in ([true(), false()] if missing else [None]))
    return [_matching({**values, **each}) for each in combinations]


def _matching(values: Mapping[str, Any]) -> Select[UUID]:
    return select(Voucher.id).where(*_conditions(values))


def _conditions(values: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """The conditions of a filter by values, or by parameters for them."""
    organization_id = values["organization_id"]
    conditions = [Voucher.organization_id == organization_id]
    if "own_partner_id" in values:
        conditions.append(Voucher.partner_id == values["own_partner_id"])
    if values.keys() & FLAGS:
        # A filter by one flag also names the other, because the index has both before the id.
        conditions += [
            column == values[name] if name in values else column.in_([True, False])
            for name, column in (("is_used", Voucher.is_used), ("is_active", Voucher.is_active))
        ]
    if "purchase_code" in values:
        purchase = select(VoucherPurchase.id).where(
            VoucherPurchase.organization_id == organization_id, VoucherPurchase.code == values["purchase_code"]
        )
        conditions.append(Voucher.purchase_id == purchase.scalar_subquery())
    if "exam_key" in values:
        exam = select(StoreExam.id).where(
            StoreExam.organization_id == organization_id, StoreExam.code_key == values["exam_key"]
        )
        conditions.append(Voucher.store_exam_id == exam.scalar_subquery())
    columns = ("code", "recipient_email_key", "reservation_code", "purchase_id", "partner_id", "is_archived")
    return conditions + [getattr(Voucher, name) == values[name] for name in columns if name in values]


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
    return select(table.code).where(table.organization_id == organization_id, table.id == id_).scalar_subquery()


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
