"""Batches of promo codes, and their state in the database."""

from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from tests.conftest import NOW
from tests.support.factories import Tenant

from tessera.api.serving.resources import Resources
from tessera.promo_codes.batches import service as batches
from tessera.promo_codes.batches.rules import BatchDraft, Pattern
from tessera.promo_codes.rules import PromoCodeDraft

DRAFT = BatchDraft(
    pattern=Pattern(prefix="SPRING", length=8),
    quantity=20,
    codes=PromoCodeDraft(store_exam_codes=("NCA-GENL",), discount_percent=10, max_redemptions=1, is_active=True),
)


class BatchState(NamedTuple):
    """The state of a batch in the database."""

    status: str
    made: int
    codes: int
    exams: int


async def order_batch(
    resources: Resources, tenant: Tenant, quantity: int = 20, *, now: datetime = NOW, **changes: Any
) -> UUID:
    """Create a batch, whose job is queued; returns its id."""
    async with resources.database.unit_of_work(tenant.id) as work:
        return (await batches.create(work, draft=replace(DRAFT, quantity=quantity, **changes), now=now)).id


def batch_state(superuser: psycopg.Connection, batch_id: UUID) -> BatchState:
    """The status of a batch and its numbers of codes and exams, from one query."""
    row = superuser.execute(
        "select b.status, b.made, count(distinct p.name_key), count(e.store_exam_id) from promo_code_batches b"
        " left join promo_codes p on p.organization_id = b.organization_id and p.batch_id = b.id"
        " left join promo_code_store_exams e on e.organization_id = p.organization_id and e.promo_code_id = p.id"
        " where b.id = %s group by b.status, b.made",
        [batch_id],
    ).fetchone()
    assert row is not None
    return BatchState(*row)


def job_statuses(superuser: psycopg.Connection, batch_id: UUID) -> list[str]:
    """The status of each job for a batch, oldest first."""
    result = superuser.execute(
        "select status::text from procrastinate_jobs where args->>'batch_id' = %s order by id", [str(batch_id)]
    )
    return [status for (status,) in result]
