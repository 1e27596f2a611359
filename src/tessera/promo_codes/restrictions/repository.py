"""The restrictions of promo codes, as columns and joins of statements on the promo codes of one tenant."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Function,
    ScalarSelect,
    Select,
    Subquery,
    Text,
    and_,
    func,
    select,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute

from tessera.catalog.tables import StoreExam
from tessera.kit.db.single_rows import has_row, with_id
from tessera.promo_codes.tables import PromoCode, PromoCodeEmailAddress, PromoCodeProductBundle, PromoCodeStoreExam

Tenant = UUID | BindParameter[UUID]
Restriction = PromoCodeStoreExam | PromoCodeProductBundle | PromoCodeEmailAddress


def is_of_promo_code(restriction: type[Restriction]) -> ColumnElement[bool]:
    """The condition that joins restrictions to their promo code."""
    return and_(restriction.organization_id == PromoCode.organization_id, restriction.promo_code_id == PromoCode.id)


def codes_restricted_to(
    codes: Select[*tuple[Any, ...]],
    restriction: type[Restriction],
    condition: ColumnElement[bool],
    organization_id: Tenant,
) -> Select[*tuple[Any, ...]]:
    """Those of these promo codes that have a restriction that meets the condition.

    The plan starts from the restrictions and looks up each code, even if the planner takes the tables for empty.
    """
    code = with_id(codes, PromoCode.__table__.c.id, restriction.__table__.c.promo_code_id).lateral("code")
    restricted = select(code).select_from(restriction).join(code, true())
    return restricted.where(restriction.organization_id == organization_id, condition)


def exam_id(organization_id: Tenant, key: ColumnElement[str]) -> ScalarSelect[UUID]:
    """The id of the exam whose code has this key."""
    exam = select(StoreExam.id).where(StoreExam.organization_id == organization_id, StoreExam.code_key == key)
    return exam.scalar_subquery()


def has_exam(
    promo_code_id: ColumnElement[UUID], exam_id: ColumnElement[UUID], organization_id: Tenant
) -> ColumnElement[bool]:
    """Whether a promo code of the statement around has this exam."""
    exam = PromoCodeStoreExam
    return has_row(
        exam.organization_id == organization_id, exam.promo_code_id == promo_code_id, exam.store_exam_id == exam_id
    )


def has_bundle(promo_code_id: ColumnElement[UUID], bundle_id: UUID, organization_id: UUID) -> ColumnElement[bool]:
    """Whether a promo code of the statement around has this bundle."""
    bundle = PromoCodeProductBundle
    return has_row(
        bundle.organization_id == organization_id,
        bundle.promo_code_id == promo_code_id,
        bundle.product_bundle_id == bundle_id,
    )


def has_address(
    promo_code_id: ColumnElement[UUID], key: ColumnElement[str], organization_id: Tenant
) -> ColumnElement[bool]:
    """Whether a promo code of the statement around has this address."""
    address = PromoCodeEmailAddress
    return has_row(
        address.organization_id == organization_id, address.promo_code_id == promo_code_id, address.email_key == key
    )


def store_exam_codes(organization_id: Tenant) -> Function[Any]:
    """The codes of the exams, in their order."""
    own = _of_promo_code(PromoCodeStoreExam, PromoCodeStoreExam.store_exam_id, organization_id)
    exams = select(StoreExam.code).where(StoreExam.organization_id == organization_id)
    exam = with_id(exams, StoreExam.__table__.c.id, own.c.store_exam_id).lateral("exam")
    codes = select(exam.c.code).select_from(own).join(exam, true()).order_by(own.c.position)
    return func.array(codes.scalar_subquery(), type_=ARRAY(Text))


def product_bundle_ids(organization_id: Tenant) -> Function[Any]:
    """The bundles, in the order of their ids."""
    own = _of_promo_code(PromoCodeProductBundle, PromoCodeProductBundle.product_bundle_id, organization_id)
    return func.array(select(own.c.product_bundle_id).order_by(own.c.product_bundle_id).scalar_subquery())


def email_addresses(organization_id: Tenant) -> Function[Any]:
    """The addresses, in their order."""
    own = _of_promo_code(PromoCodeEmailAddress, PromoCodeEmailAddress.email_key, organization_id)
    return func.array(select(own.c.email).order_by(own.c.position).scalar_subquery(), type_=ARRAY(Text))


def _of_promo_code(
    restriction: type[Restriction], key: InstrumentedAttribute[Any], organization_id: Tenant
) -> Subquery:
    """The restrictions of the promo code of the statement around.

    Their order is that of the primary key. Of indexes that cost the same, as those of a table do that the planner takes
    for empty, it takes the one that returns the rows in their order; others have the codes last.
    """
    return (
        select(restriction)
        .where(
            restriction.organization_id == organization_id,
            restriction.promo_code_id >= PromoCode.id,
            restriction.promo_code_id <= PromoCode.id,
        )
        .order_by(restriction.promo_code_id, key)
        .correlate(PromoCode)
        .subquery("own")
    )
