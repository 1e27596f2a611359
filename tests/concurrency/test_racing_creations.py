"""Concurrent creations of everything that has a unique name: exactly one succeeds, and the others are refused."""

import asyncio

import httpx
import psycopg
from fastapi import FastAPI
from tests.support.factories import Tenant
from tests.support.journeys import UNIQUE, Journey, begin_journey
from tests.support.management_requests import platform_administrator

from tessera.api.serving.resources import Resources

RACERS = 6
# Whose names may occur twice.
NOT_UNIQUE = {"/management/v1/keys", "/management/v1/product-bundles"}
UNIQUE_NAMES = {
    "/promo-codes",
    "/management/v1/clients",
    "/management/v1/organizations",
    "/management/v1/organizations/{organizationId}/administrators",
    "/management/v1/promo-codes",
    "/management/v1/store-exams",
    "/management/v1/users",
    "/management/v1/voucher-partners",
    "/management/v1/voucher-partners/{voucherPartnerId}/users",
    "/management/v1/voucher-programs",
}


def creations(journey: Journey) -> list[str]:
    """The paths of the operations that create a resource with a unique name."""
    contents = {path: journey.content(method, path) for method, path in journey.operations if method == "POST"}
    named = [path for path, content in contents.items() if set(UNIQUE) & set(content.get("json", {}))]
    return [path for path in named if not path.endswith(("}", "/tokens", "/redemptions"))]


async def test_of_racing_creations_of_one_name_exactly_one_succeeds(
    client: httpx.AsyncClient, app: FastAPI, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    platform = await platform_administrator(resources, superuser)
    journey = await begin_journey(client, resources, tenant, app.openapi(), platform)
    outcomes = {}
    for path in creations(journey):
        content, url = journey.content("POST", path), path.format(**await journey.existing(path))
        requests = [client.post(url, headers=journey.headers(path), **content) for _ in range(RACERS)]
        answers = await asyncio.gather(*requests)
        outcomes[path] = sorted(answer.status_code for answer in answers)
    one, all_of_them = [201, *[400] * (RACERS - 1)], [201] * RACERS
    assert outcomes == dict.fromkeys(UNIQUE_NAMES, one) | dict.fromkeys(NOT_UNIQUE, all_of_them)
