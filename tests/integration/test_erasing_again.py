"""A list of erasures in a restored database: what cannot be done is named, and everything else is done."""

import json
from pathlib import Path
from typing import Any

import httpx
import psycopg
from tests.conftest import NOW
from tests.support.commands import tessera
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.redemption_requests import candidate, copy_redemption, create_redemption

from tessera.api.serving.resources import Resources
from tessera.persons.erasures import lists as erasure_list
from tessera.persons.erasures.lists import Applied, Erasures
from tessera.persons.erasures.rules import digest
from tessera.provision import Addresses

KEY = b"k" * 32


def listed(tenant: Tenant, *persons: str) -> Erasures:
    return {tenant.id: (KEY, {digest(KEY, person): NOW for person in persons})}


async def persons(resources: Resources, tenant: Tenant, superuser: psycopg.Connection[Any]) -> set[str]:
    query = "select distinct person_id from redemptions where organization_id = %s and person_id not like 'erased%%'"
    return {person for (person,) in superuser.execute(query, [tenant.id])}


async def test_the_others_are_erased_and_those_who_cannot_be_are_named(
    client: httpx.AsyncClient,
    resources: Resources,
    addresses: Addresses,
    superuser: psycopg.Connection[Any],
    tenant: Tenant,
    tmp_path: Path,
) -> None:
    code = percent_code(tenant, "SPRING")
    await add_promo_codes(resources, tenant, code, now=NOW)
    address = "insert into promo_code_email_addresses values (%s, %s, %s, %s, 0)"
    superuser.execute(address, [tenant.id, code.id, "shared@example.com", "shared@example.com"])
    for number, person in enumerate(("P-MANY", "P-1", "P-2", "P-3", "P-4")):
        email = "shared@example.com" if person in ("P-1", "P-2") else None
        await create_redemption(client, tenant, "SPRING", f"R-{number}", candidate=candidate(person, email=email))
    copy_redemption(superuser, tenant, 1001, reservation="R-0", first_name="Lin{n}")
    erasures = listed(tenant, "P-MANY", "shared@example.com", "P-3", "P-4", "P-UNKNOWN")
    first, again = [await erasure_list.apply(resources.database, erasures, now=NOW) for _ in range(2)]
    assert (first.count, again.count) == (2, 0)
    assert await persons(resources, tenant, superuser) == {"P-MANY", "P-1", "P-2"}
    reasons = {
        "P-MANY": "More than 1,000 records of one kind are about this person.",
        "shared@example.com": "Several candidates have this address. Name each of them by their person id.",
    }
    lines = [
        f"organization {tenant.id}, erasure {digest(KEY, person).hex()}: not erased again: {reason}"
        for person, reason in reasons.items()
    ]
    # They are tried again, and are not in the next list.
    assert first.remaining == again.remaining == lines
    known = superuser.execute("select digest from erasures where organization_id = %s", [tenant.id])
    assert {each for (each,) in known} == {digest(KEY, person) for person in ("P-3", "P-4", "P-UNKNOWN")}
    file = tmp_path / "erasures.json"
    entries = {each.hex(): at.isoformat() for each, at in erasures[tenant.id][1].items()}
    organizations = {str(tenant.id): {"key": KEY.hex(), "erasures": entries}}
    file.write_text(json.dumps({"format": 1, "organizations": organizations}))
    result = tessera("person", "erase-again", str(file), TESSERA_DATABASE_URL=addresses.application)
    assert (result.returncode, result.stdout) == (1, "Persons erased again: 0.\n")
    assert result.stderr.splitlines()[:2] == lines


async def test_a_list_with_another_key_is_applied_and_must_be_kept(
    client: httpx.AsyncClient, resources: Resources, superuser: psycopg.Connection[Any], tenant: Tenant
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=NOW)
    for number, person in enumerate(("P-1", "P-2")):
        await create_redemption(client, tenant, "SPRING", f"R-{number}", candidate=candidate(person))
    superuser.execute("insert into erasure_keys values (%s, sha256('other'))", [tenant.id])
    erasures = listed(tenant, "P-1", "P-UNKNOWN")
    first, again = [await erasure_list.apply(resources.database, erasures, now=NOW) for _ in range(2)]
    line = f"organization {tenant.id}: the database has another key than the list, and knows nothing of these erasures"
    assert (first, again) == (
        Applied(1, [f"{line}: keep this list, too"]),
        Applied(0, [f"{line}: keep this list, too"]),
    )
    assert await persons(resources, tenant, superuser) == {"P-2"}
    # The person who was found is known by the key of the database.
    found = superuser.execute(
        "select key, digest from erasure_keys join erasures using (organization_id) where organization_id = %s",
        [tenant.id],
    ).fetchall()
    assert [bytes(each) for _, each in found] == [digest(bytes(key), "P-1") for key, _ in found]
