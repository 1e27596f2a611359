"""Ordering batches of promo codes, and looking behind the application at what came of them."""

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
    """What the database has of a batch."""

    status: str
    made: int
    codes: int
    exams: int


async def order_batch(
    resources: Resources, tenant: Tenant, quantity: int = 20, *, now: datetime = NOW, **changes: Any
) -> UUID:
    """A batch whose codes are queued."""
    async with resources.database.unit_of_work(tenant.id) as work:
        return (await batches.create(work, draft=replace(DRAFT, quantity=quantity, **changes), now=now)).id


def batch_state(superuser: psycopg.Connection, batch_id: UUID) -> BatchState:
    """Status and codes at one moment."""
    found = superuser.execute(
        "select b.status, b.made, count(distinct p.name_key), count(e.store_exam_id) from promo_code_batches b"
        " left join promo_codes p on p.organization_id = b.organization_id and p.batch_id = b.id"
        " left join promo_code_store_exams e on e.organization_id = p.organization_id and e.promo_code_id = p.id"
        " where b.id = %s group by b.status, b.made",
        [batch_id],
    ).fetchone()
    assert found is not None
    return BatchState(*found)


def job_statuses(superuser: psycopg.Connection, batch_id: UUID) -> list[str]:
    """The status of each job for a batch, oldest first."""
    found = superuser.execute(
        "select status::text from procrastinate_jobs where args->>'batch_id' = %s order by id", [str(batch_id)]
    )
    return [status for (status,) in found]
