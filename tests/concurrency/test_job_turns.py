"""The order of jobs: organizations take turns, and vouchers of purchases come before batches of promo codes."""

import psycopg
from tests.support.batching import order_batch
from tests.support.factories import Tenant
from tests.support.purchasing import buy, open_market

from tessera.api.serving.resources import Resources


def next_jobs(superuser: psycopg.Connection, *tenants: Tenant) -> str:
    """The jobs of these organizations in the order in which a worker takes them: V for vouchers, b for a batch."""
    letters = {str(tenant.id): letter for tenant, letter in zip(tenants, "AB", strict=True)}
    rows = superuser.execute(
        "select args ->> 'organization_id', task_name from procrastinate_jobs"
        " where status = 'todo' and args ->> 'organization_id' = any(%s) order by priority desc, id",
        [list(letters)],
    )
    return " ".join(
        letters[organization] + ("V" if task == "tessera:issue_vouchers" else "b") for organization, task in rows
    )


async def test_a_purchase_waits_neither_for_batches_nor_for_many_purchases_of_another_organization(
    resources: Resources, tenant: Tenant, other_tenant: Tenant, superuser: psycopg.Connection
) -> None:
    for each in (tenant, other_tenant):
        await open_market(resources, each)
    for _ in range(4):
        await order_batch(resources, tenant, quantity=100_000)
    for _ in range(3):
        await buy(resources, tenant)
    await order_batch(resources, other_tenant, quantity=10)
    await buy(resources, other_tenant)
    assert next_jobs(superuser, tenant, other_tenant) == "AV BV AV AV Ab Bb Ab Ab Ab"
