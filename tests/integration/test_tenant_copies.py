"""The organizations of the tests, most of which are copies: they are what the services create."""

import json
import re

from tests.conftest import Clock
from tests.support.factories import Tenant, create_tenant, create_tenant_by_services
from tests.support.tenant_copies import ID, read_rows

from tessera.api.serving.resources import Resources
from tessera.identity.authentication.credentials import digest_of
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.identifiers import new_id

DIGEST = re.compile("[0-9a-f]{64}")
SALT = re.compile(r"(?<=\\x)[0-9a-f]{32}(?=\")")


async def comparable_rows(work: UnitOfWork, tenant: Tenant) -> object:
    """All rows of the organization, with numbers for its ids in their order, and without random texts."""
    text = (await read_rows(work)).text.replace(tenant.name.split()[1], "Name")
    for number, id_ in enumerate(sorted(set(ID.findall(text)))):
        text = text.replace(id_, f"Id {number}")
    rows = json.loads(SALT.sub("Salt", DIGEST.sub("Digest", text)))
    return {table: sorted(rows[table], key=json.dumps) for table in rows}


async def test_a_copied_organization_has_all_rows_of_one_that_the_services_create(
    resources: Resources, clock: Clock
) -> None:
    await create_tenant(resources, now=clock.now)  # exists by now, so that the next one is a copy
    copy = await create_tenant(resources, now=clock.now)
    async with resources.database.unit_of_work(copy.id) as work:
        rows_of_copy = await comparable_rows(work, copy)
    async with resources.database.unit_of_work(new_id()) as work:
        created = await create_tenant_by_services(work, resources, now=clock.now)
        assert rows_of_copy == await comparable_rows(work, created)


async def test_a_copied_organization_shares_no_id_and_no_digest_with_another(
    resources: Resources, tenant: Tenant, other_tenant: Tenant
) -> None:
    found = []
    for each in (tenant, other_tenant):
        async with resources.database.unit_of_work(each.id) as work:
            text = (await read_rows(work)).text
        digests = {digest_of(secret).hex() for secret in (each.client.secret, each.key.secret)}
        assert digests <= set(DIGEST.findall(text))
        # A copy has the salts of the original, and its digests of names.
        own = {name: rows for name, rows in json.loads(text).items() if not name.startswith("audit_")}
        found.append({*ID.findall(text), *DIGEST.findall(json.dumps(own))})
    assert not found[0] & found[1]
