"""The restrictions of promo codes, as columns and joins of statements on the promo codes of one tenant."""

from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BindParameter, ColumnElement, Function, Select, Text, and_, func, select, true

from tessera.catalog.tables import StoreExam
from tessera.kit.db.single_rows import with_id
from tessera.promo_codes.tables import PromoCode, PromoCodeEmailAddress, PromoCodeProductBundle, PromoCodeStoreExam

Tenant = UUID | BindParameter[UUID]
Restriction = PromoCodeStoreExam | PromoCodeProductBundle | PromoCodeEmailAddress


def is_of_promo_code(restriction: type[Restriction]) -> ColumnElement[bool]:
    """The condition that joins restrictions to their promo code."""
    return and_(restriction.organization_id == PromoCode.organization_id, restriction.promo_code_id == PromoCode.id)


def codes_of_exams(codes: Select[UUID], is_of_exam: ColumnElement[bool], organization_id: Tenant) -> Select[UUID]:
    """The ids of those of these promo codes that have such an exam.

    The plan starts from the exams and looks up each code, even if the planner takes the tables for empty.
    """
    exam = PromoCodeStoreExam.__table__.c
    code = with_id(codes, PromoCode.__table__.c.id, exam.promo_code_id).lateral("code")
    return (
        select(code.c.id)
        .select_from(PromoCodeStoreExam)
        .join(code, true())
        .where(exam.organization_id == organization_id, is_of_exam)
    )


def store_exam_codes(organization_id: Tenant) -> Function[Any]:
    """The codes of the exams, in their order."""
    exams = (
        select(StoreExam.code)
        .join(
            PromoCodeStoreExam,
            and_(
                PromoCodeStoreExam.organization_id == StoreExam.organization_id,
                PromoCodeStoreExam.store_exam_id == StoreExam.id,
            ),
        )
        .where(StoreExam.organization_id == organization_id, PromoCodeStoreExam.promo_code_id == PromoCode.id)
        .order_by(PromoCodeStoreExam.position)
        .correlate(PromoCode)
    )
    return func.array(exams.scalar_subquery(), type_=ARRAY(Text))


def product_bundle_ids(organization_id: Tenant) -> Function[Any]:
    """The bundles, in the order of their ids."""
    bundles = (
        select(PromoCodeProductBundle.product_bundle_id)
        .where(
            PromoCodeProductBundle.organization_id == organization_id,
            PromoCodeProductBundle.promo_code_id == PromoCode.id,
        )
        .order_by(PromoCodeProductBundle.product_bundle_id)
        .correlate(PromoCode)
    )
    return func.array(bundles.scalar_subquery())


def email_addresses(organization_id: Tenant) -> Function[Any]:
    """The addresses, in their order."""
    addresses = (
        select(PromoCodeEmailAddress.email)
        .where(
            PromoCodeEmailAddress.organization_id == organization_id,
            PromoCodeEmailAddress.promo_code_id == PromoCode.id,
        )
        .order_by(PromoCodeEmailAddress.position)
        .correlate(PromoCode)
    )
    return func.array(addresses.scalar_subquery(), type_=ARRAY(Text))
