"""Query plans of the recount of the ledger."""

from tests.support.factories import Tenant
from tests.support.plans import plan_nodes
from tests.support.recording import record_statements

from tessera.api.serving.resources import Resources
from tessera.redemptions.ledger import service as ledger


async def test_a_recount_compares_no_row_with_every_other(resources: Resources, tenant: Tenant) -> None:
    async with resources.database.unit_of_work(tenant.id) as work:
        with record_statements(resources.database) as sent:
            await ledger.verify(work)
        recounts = [each for each in sent if "recounted" in each.text]
        for text, parameters in recounts:
            found = await work.connection.exec_driver_sql(f"explain (format json) {text}", parameters)
            nodes = plan_nodes(found.scalar_one()[0]["Plan"])
            assert [each for each in nodes if each["Node Type"] == "Nested Loop" and "Join Filter" in each] == [], text
    assert len(recounts) == 6
