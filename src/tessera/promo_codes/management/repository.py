"""Statements for the management of promo codes of every kind: single codes and edits."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    any_,
    delete,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from tessera.catalog.tables import StoreExam
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.normalization import key_of
from tessera.promo_codes.management.records import ManagedPromoCode
from tessera.promo_codes.restrictions import repository as restrictions
from tessera.promo_codes.rules import terms_of
from tessera.promo_codes.tables import PromoCode, PromoCodeEmailAddress, PromoCodeProductBundle, PromoCodeStoreExam


class ManagedPromoCodeRepository:
    """The promo codes of the organization that the unit of work is pinned to, of every kind."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def find(self, promo_code_id: UUID) -> ManagedPromoCode | None:
        """The promo code with this id and all its restrictions."""
        addresses = restrictions.email_addresses(self._organization_id).label("email_addresses")
        statement = select_codes(self._organization_id).add_columns(addresses).where(self._is(promo_code_id))
        row = (await self._connection.execute(statement)).first()
        return None if row is None else managed(row)

    async def find_all(self, names: Collection[str]) -> list[ManagedPromoCode]:
        """The promo codes with these names and all their restrictions."""
        keys = literal([key_of(name) for name in names], ARRAY(Text))
        addresses = restrictions.email_addresses(self._organization_id).label("email_addresses")
        statement = select_codes(self._organization_id).add_columns(addresses).where(PromoCode.name_key == any_(keys))
        return [managed(row) for row in await self._connection.execute(statement)]

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

    def _is(self, promo_code_id: UUID) -> ColumnElement[bool]:
        return and_(PromoCode.organization_id == self._organization_id, PromoCode.id == promo_code_id)


def select_codes(organization_id: UUID) -> Select[*tuple[Any, ...]]:
    """Promo codes with their exams and bundles, but without addresses."""
    columns = [column for column in PromoCode.__table__.columns if column.key != "organization_id"]
    return select(
        *columns,
        restrictions.store_exam_codes(organization_id).label("store_exam_codes"),
        restrictions.product_bundle_ids(organization_id).label("product_bundle_ids"),
    ).where(PromoCode.organization_id == organization_id)


_FIELDS = tuple(ManagedPromoCode.__dataclass_fields__)


def managed(row: AnyRow) -> ManagedPromoCode:
    """The promo code of a row of `select_codes`."""
    values: dict[str, Any] = {name: getattr(row, name, None) for name in _FIELDS}
    return ManagedPromoCode(**values)
