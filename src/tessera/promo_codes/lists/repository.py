"""Statements on the documented list of the promo codes of one tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Select, Uuid, false, select, true

from tessera.kit.db.compiled_queries import parameter, run_all
from tessera.kit.db.json_projection import JsonProjection
from tessera.kit.db.pages import JsonPage, JsonPageQuery
from tessera.kit.db.selective import SelectivityQuery, find_selective_names, with_ids
from tessera.kit.db.single_rows import with_id
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import TooManyResults
from tessera.kit.normalization import email_key, key_of
from tessera.promo_codes.restrictions import repository as restrictions
from tessera.promo_codes.rules import Status
from tessera.promo_codes.tables import PromoCode, PromoCodeEmailAddress, PromoCodeStoreExam


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoCodeFilter:
    """Filters of the documented list; None matches every code."""

    name: str | None = None
    status: Status | None = None
    store_exam_code: str | None = None
    restrict_to_email_addresses: bool | None = None
    email_address: str | None = None


class ListedPromoCode(NamedTuple):
    """A promo code in the documented list: a percentage for some exams, with an expiry and a limit in total."""

    name: str
    store_exam_codes: Sequence[str]
    discount_percent: int
    email_addresses: Sequence[str]
    expires_at: datetime
    max_redemptions: int
    max_redemptions_per_candidate: int | None
    notes: str | None
    redemption_count: int
    restrict_to_email_addresses: bool


class PromoCodeListRepository:
    """The promo codes of the organization that the unit of work is pinned to, in the documented list."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def list_pages(
        self, requests: Sequence[tuple[PromoCodeFilter, int]], *, projection: JsonProjection
    ) -> list[JsonPage | TooManyResults]:
        """Numbered pages of the codes that the documented list can express, as a projection of `ListedPromoCode`."""
        all_values = [self._values(filters) for filters, _ in requests]
        queries = [(_selectivity(frozenset(values)), values) for values in all_values]
        names = await find_selective_names(self._connection, queries)
        pages = [
            _page_query(frozenset(values), name, projection).page(values, number=number)
            for values, name, (_, number) in zip(all_values, names, requests, strict=True)
        ]
        return await run_all(self._connection, pages)

    def _values(self, filters: PromoCodeFilter) -> dict[str, Any]:
        values = {
            "organization_id": self._organization_id,
            "status": filters.status and filters.status.value,
            "name_key": filters.name and key_of(filters.name),
            "restricted": filters.restrict_to_email_addresses,
            "exam_key": filters.store_exam_code and key_of(filters.store_exam_code),
            "email_key": filters.email_address and email_key(filters.email_address),
        }
        return {name: value for name, value in values.items() if value is not None}


_ORGANIZATION_ID: BindParameter[UUID] = parameter("organization_id", Uuid())
_EXAM_ID = restrictions.exam_id(_ORGANIZATION_ID, parameter("exam_key"))


@cache
def _page_query(filters: frozenset[str], selective: str | None, projection: JsonProjection) -> JsonPageQuery:
    matching: Select[UUID] | list[Select[UUID]]
    if selective is not None:
        matching = with_ids(_matching_each(filters), PromoCode.__table__.c.id, _by_index(filters)[selective])
    elif filters & {"name_key", "exam_key", "email_key"}:
        matching = _matching(filters)
    else:
        matching = _in_order(filters)
    return JsonPageQuery(projection, matching=matching, rows=_listed)


@cache
def _selectivity(filters: frozenset[str]) -> SelectivityQuery[str]:
    return SelectivityQuery.of(_by_index(filters))


@cache
def _by_index(filters: frozenset[str]) -> dict[str, Select[UUID]]:
    """The codes of each filter that has an index, by its name; status and restriction share one."""
    exam, address = PromoCodeStoreExam.__table__.c, PromoCodeEmailAddress.__table__.c
    by_index = {
        "name_key": _matching(filters & {"name_key"}),
        "exam_key": select(exam.promo_code_id).where(
            exam.organization_id == _ORGANIZATION_ID, exam.store_exam_id == _EXAM_ID
        ),
        "email_key": select(address.promo_code_id).where(
            address.organization_id == _ORGANIZATION_ID, address.email_key == parameter("email_key")
        ),
    }
    by_index = {name: ids for name, ids in by_index.items() if name in filters}
    if states := filters & {"status", "restricted"}:
        by_index["states"] = _matching(states)
    return by_index


def _matching_each(filters: frozenset[str]) -> Select[UUID]:
    """The codes, with each filter as a condition of one code."""
    promo_code_id = PromoCode.__table__.c.id
    matching = _matching(filters - {"exam_key", "email_key"})
    if "exam_key" in filters:
        matching = matching.where(restrictions.has_exam(promo_code_id, _EXAM_ID, _ORGANIZATION_ID))
    if "email_key" in filters:
        matching = matching.where(restrictions.has_address(promo_code_id, parameter("email_key"), _ORGANIZATION_ID))
    return matching


def _in_order(filters: frozenset[str]) -> list[Select[UUID]]:
    """The ids for each status and restriction, in the order of the index."""
    statuses = [parameter("status")] if "status" in filters else [status.value for status in Status]
    restricted = [parameter("restricted")] if "restricted" in filters else [true(), false()]
    return [
        select(PromoCode.id).where(
            PromoCode.organization_id == _ORGANIZATION_ID,
            PromoCode.is_listed,
            PromoCode.status == status,
            PromoCode.restrict_to_email_addresses == is_restricted,
        )
        for status in statuses
        for is_restricted in restricted
    ]


def _matching(filters: frozenset[str]) -> Select[UUID]:
    # Without a comparison, because Postgres would not use the partial index for `is_listed is true`.
    matching = select(PromoCode.id).where(PromoCode.organization_id == _ORGANIZATION_ID, PromoCode.is_listed)
    if "status" in filters:
        matching = matching.where(PromoCode.status == parameter("status"))
    elif "email_key" not in filters:  # so that the index also serves a filter by restriction only
        matching = matching.where(PromoCode.status.in_(list(map(str, Status))))
    if "name_key" in filters:
        matching = matching.where(PromoCode.name_key == parameter("name_key"))
    if "restricted" in filters:
        matching = matching.where(PromoCode.restrict_to_email_addresses == parameter("restricted"))
    if "email_key" in filters:
        if "exam_key" in filters:
            matching = matching.where(restrictions.has_exam(PromoCode.__table__.c.id, _EXAM_ID, _ORGANIZATION_ID))
        is_of_address = PromoCodeEmailAddress.email_key == parameter("email_key")
        return restrictions.codes_restricted_to(matching, PromoCodeEmailAddress, is_of_address, _ORGANIZATION_ID)
    if "exam_key" in filters:
        is_of_exam = PromoCodeStoreExam.store_exam_id == _EXAM_ID
        return restrictions.codes_restricted_to(matching, PromoCodeStoreExam, is_of_exam, _ORGANIZATION_ID)
    return matching


def _listed(promo_code_id: ColumnElement[UUID]) -> Select[*tuple[Any, ...]]:
    code = select(
        PromoCode.name,
        restrictions.store_exam_codes(_ORGANIZATION_ID).label("store_exam_codes"),
        PromoCode.discount_percent,
        restrictions.email_addresses(_ORGANIZATION_ID).label("email_addresses"),
        PromoCode.expires_at,
        PromoCode.max_redemptions,
        PromoCode.max_redemptions_per_candidate,
        PromoCode.notes,
        PromoCode.redemption_count,
        PromoCode.restrict_to_email_addresses,
    ).where(PromoCode.organization_id == _ORGANIZATION_ID)
    return with_id(code, PromoCode.__table__.c.id, promo_code_id)
