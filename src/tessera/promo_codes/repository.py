"""Statements on the promo codes of one tenant, and the one that answers for many."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, Select, Subquery, and_, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from tessera.catalog.models import StoreExam
from tessera.kit.database import AnyRow, UnitOfWork
from tessera.kit.pagination import Page, fetch_page
from tessera.kit.text import key_of
from tessera.promo_codes import restrictions
from tessera.promo_codes.models import (
    PromoCode,
    PromoCodeEmailAddress,
    PromoCodeProductBundle,
    PromoCodeStoreExam,
)
from tessera.promo_codes.rules import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPromoCode:
    """A promo code to be added."""

    id: UUID
    name: str
    status: Status
    discount_percent: int | None = None
    flat_discount: Decimal | None = None
    expires_at: datetime | None = None
    max_redemptions: int | None = None
    max_redemptions_per_candidate: int | None = None
    redemption_count: int = 0
    restrict_to_email_addresses: bool = False
    notes: str | None = None
    store_exam_ids: tuple[UUID, ...] = ()
    product_bundle_ids: tuple[UUID, ...] = ()
    email_addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoCodeFilter:
    """Which of the listed promo codes; None does not filter."""

    name: str | None = None
    status: Status | None = None
    store_exam_code: str | None = None
    restrict_to_email_addresses: bool | None = None
    email_address: str | None = None


class PromoCodeRepository:
    """The promo codes of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def has_name(self, name: str) -> bool:
        """Whether a code of this name exists, archived or not."""
        statement = select(PromoCode.id).where(
            PromoCode.organization_id == self._organization_id, PromoCode.name_key == key_of(name)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def add(self, code: NewPromoCode, *, now: datetime) -> bool:
        """Add a promo code; False if its name is taken, also by a racing transaction."""
        statement = (
            upsert(PromoCode)
            .values(self._row(code, now=now))
            .on_conflict_do_nothing(constraint="promo_codes_organization_id_name_key_key")
            .returning(PromoCode.id)
        )
        if (await self._connection.execute(statement)).first() is None:
            return False
        await self.add_restrictions([code])
        return True

    async def add_all(self, codes: Sequence[NewPromoCode], *, now: datetime) -> None:
        """Add many promo codes; a taken name raises the driver's error."""
        await self._connection.execute(insert(PromoCode), [self._row(code, now=now) for code in codes])
        await self.add_restrictions(codes)

    async def list_page(self, wanted: PromoCodeFilter, *, number: int) -> Page[AnyRow]:
        """A page of the codes that the documented list can express; raises TooManyResults."""
        return await fetch_page(self._connection, matching=self._matching(wanted), rows=self._listed, number=number)

    def _row(self, code: NewPromoCode, *, now: datetime) -> dict[str, Any]:
        row = asdict(code)
        del row["email_addresses"]
        return row | {
            "organization_id": self._organization_id,
            "has_store_exams": bool(row.pop("store_exam_ids")),
            "has_product_bundles": bool(row.pop("product_bundle_ids")),
            "held_count": 0,
            "created_at": now,
        }

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
            tenant | {"promo_code_id": code.id, "email_key": key_of(email), "email": email, "position": position}
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

    def _matching(self, wanted: PromoCodeFilter) -> Select[UUID]:
        statuses = list(Status) if wanted.status is None else [wanted.status]
        matching = select(PromoCode.id).where(
            PromoCode.organization_id == self._organization_id,
            # Bare, because `is_listed is true` does not prove to Postgres that the partial index serves.
            PromoCode.is_listed,
            # Named even when all are wanted, so that the index behind it serves a restriction filter by itself too.
            PromoCode.status.in_(statuses),
        )
        if wanted.name is not None:
            matching = matching.where(PromoCode.name_key == key_of(wanted.name))
        if wanted.restrict_to_email_addresses is not None:
            matching = matching.where(PromoCode.restrict_to_email_addresses.is_(wanted.restrict_to_email_addresses))
        # Joins, not lists of ids: by them the rows are found from the narrow side. Neither can give a row twice.
        if wanted.store_exam_code is not None:
            matching = matching.join(PromoCodeStoreExam, _is_of_promo_code(PromoCodeStoreExam)).where(
                PromoCodeStoreExam.organization_id == self._organization_id,
                PromoCodeStoreExam.store_exam_id == self._store_exam_id(wanted.store_exam_code),
            )
        if wanted.email_address is not None:
            matching = matching.join(PromoCodeEmailAddress, _is_of_promo_code(PromoCodeEmailAddress)).where(
                PromoCodeEmailAddress.organization_id == self._organization_id,
                PromoCodeEmailAddress.email_key == key_of(wanted.email_address),
            )
        return matching

    def _store_exam_id(self, code: str) -> ScalarSelect[UUID]:
        return (
            select(StoreExam.id)
            .where(StoreExam.organization_id == self._organization_id, StoreExam.code_key == key_of(code))
            .scalar_subquery()
        )

    def _listed(self, page: Subquery) -> Select[*tuple[Any, ...]]:
        return (
            select(
                PromoCode.name,
                restrictions.store_exam_codes(self._organization_id).label("store_exam_codes"),
                PromoCode.discount_percent,
                restrictions.email_addresses(self._organization_id).label("email_addresses"),
                PromoCode.expires_at,
                PromoCode.max_redemptions,
                PromoCode.max_redemptions_per_candidate,
                PromoCode.notes,
                PromoCode.redemption_count,
                PromoCode.restrict_to_email_addresses,
            )
            .join(page, PromoCode.id == page.c.id)
            .where(PromoCode.organization_id == self._organization_id)
        )


def _is_of_promo_code(restriction: type[PromoCodeStoreExam | PromoCodeEmailAddress]) -> ColumnElement[bool]:
    return and_(restriction.organization_id == PromoCode.organization_id, restriction.promo_code_id == PromoCode.id)
