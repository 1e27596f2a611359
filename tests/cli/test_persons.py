"""Persons on the command line."""

import json

import httpx
from tests.cli.conftest import Run
from tests.conftest import NOW
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.management_requests import ROOT
from tests.support.redemption_requests import CANDIDATE, create_redemption

from tessera.api.serving.resources import Resources


async def test_the_records_about_a_person_are_printed_as_in_the_api(
    run: Run, client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=NOW)
    await create_redemption(client, tenant, "SPRING", "RSV-1")
    answer = await client.get(f"{ROOT}/persons/{CANDIDATE['personId']}/export", headers=tenant.bearer)
    ended = run("person", "export", CANDIDATE["email"], "--organization", tenant.name)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == answer.json()
    ended = run("person", "export", "nobody", "--organization", tenant.name)
    assert (ended.returncode, ended.stderr) == (1, "tessera: There is no such person.\n")
