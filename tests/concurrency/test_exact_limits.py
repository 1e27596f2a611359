"""Limits are exact: thousands of concurrent redemptions through three servers, one of which is killed meanwhile.

One limit is given and taken away again and again. `.ci/run` sends RACING_REDEMPTIONS=10000.
"""

import asyncio
import math
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from uuid import uuid4

import httpx
import psycopg
import pytest
from tests.conftest import TOKEN_KEYS_SETTING
from tests.support.changing_limits import ChangingLimit, Span, lowest
from tests.support.commands import Server, running_server
from tests.support.connections import Connections
from tests.support.factories import Tenant, add_platform, add_promo_codes, create_tenant, percent_code
from tests.support.jobs import job_context
from tests.support.racing import PERSONS, Code, Races, max_overlap
from tests.support.redemption_requests import URL, body, candidate
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher
from tests.support.waiting import until

from tessera.api.serving.resources import Resources
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.clock import clock
from tessera.provision import Addresses
from tessera.redemptions import jobs
from tessera.redemptions.ledger import service as ledger
from tessera.settings import Settings

TOTAL = int(os.environ.get("RACING_REDEMPTIONS", "5000"))
CALLERS = 400
RACE_SECONDS = 240
GOOD_UNTIL = datetime(2100, 1, 1, tzinfo=UTC)
OWN = [
    Code("HOT", 5),
    Code("HOT", 5),
    Code("HOT", 5),
    Code("WARM", 40),
    Code("EACH", None, per_candidate=2),
    Code("BOTH", 50, per_candidate=3),
]
VOUCHERS = [Code(f"V{number}", 1) for number in range(4)]


@pytest.fixture
def servers(application_addresses: Addresses, settings: Settings, tmp_path: Path) -> Iterator[list[Server]]:
    environment = {
        "TESSERA_DATABASE_URL": application_addresses.application,
        "TESSERA_PREPARE_STATEMENTS": str(settings.prepare_statements),
        **TOKEN_KEYS_SETTING,
        "TESSERA_LOG_LEVEL": "ERROR",
        "TESSERA_POOL_SIZE": "25",
    }
    with ExitStack() as stack:
        yield [stack.enter_context(running_server("api", data=tmp_path, **environment)) for _ in range(3)]


async def furnish(resources: Resources, tenant: Tenant) -> None:
    codes = [
        percent_code(
            tenant,
            code.name,
            max_redemptions=code.total,
            max_redemptions_per_candidate=code.per_candidate,
            expires_at=GOOD_UNTIL,
            is_combinable=True,
        )
        for code in set(OWN)
    ]
    await add_promo_codes(resources, tenant, *codes, now=clock())
    partner = await add_partner(resources, tenant, "Acme Corp")
    program = await add_program(resources, tenant, "Open")
    purchase = await add_purchase(resources, tenant, partner, program, "VP-1", quantity=len(VOUCHERS))
    items = [voucher(purchase, partner, code.name, expires_at=GOOD_UNTIL) for code in VOUCHERS]
    await add_vouchers(resources, tenant, *items)


async def add_late_code(resources: Resources, tenants: list[Tenant]) -> Code:
    """A code of each organization that starts two to three seconds after this call."""
    start = clock().replace(microsecond=0) + timedelta(seconds=3)
    code = Code("LATE", 40, per_candidate=6, starts_at=start.timestamp())
    terms = {"max_redemptions": code.total, "max_redemptions_per_candidate": code.per_candidate, "starts_at": start}
    for tenant in tenants:
        new = percent_code(tenant, code.name, expires_at=GOOD_UNTIL, is_combinable=True, **terms)
        await add_promo_codes(resources, tenant, new, now=clock())
    return code


async def add_turned_code(
    resources: Resources, superuser: psycopg.Connection, tenants: list[Tenant], connections: Connections
) -> tuple[Code, ChangingLimit]:
    """A code of each organization, which has a limit at times in the first one."""
    terms = {"store_exam_ids": (), "max_redemptions": None, "is_combinable": True}
    codes = [percent_code(tenant, "TURNED", **terms) for tenant in tenants]
    for tenant, code in zip(tenants, codes, strict=True):
        await add_promo_codes(resources, tenant, code, now=clock())
    counter = (str(tenants[0].id), "TURNED")
    changing = ChangingLimit(connections, tenants[0], codes[0].id, partial(count_uses, superuser, counter))
    return Code("TURNED", math.inf), changing


async def add_global_codes(resources: Resources, superuser: psycopg.Connection, tenant: Tenant) -> list[Code]:
    """Three codes of the platform that no other test uses."""
    name = uuid4().hex[:12]
    codes = [
        Code(f"GH{name}", 7, is_global=True),
        Code(f"GW{name}", 60, per_candidate=3, is_global=True),
        Code(f"GS{name}", None, is_global=True, per_organization=5),
    ]
    platform = add_platform(superuser, tenant)
    for code in codes:
        limits = {
            "max_redemptions": code.total,
            "max_redemptions_per_candidate": code.per_candidate,
            "max_redemptions_per_organization": code.per_organization,
        }
        terms = limits | {"expires_at": GOOD_UNTIL, "is_combinable": True}
        new = percent_code(platform, code.name, store_exam_ids=(), **terms)
        await add_promo_codes(resources, platform, new, now=clock())
    return codes


async def expire_holds(resources: Resources) -> None:
    await jobs.expire_holds(job_context(resources, clock), 0)


async def housekeep(resources: Resources) -> None:
    """Record expired holds every half second, as a worker does, until it is cancelled."""
    while True:
        await expire_holds(resources)
        await asyncio.sleep(0.5)


def intervals(superuser: psycopg.Connection, races: Races) -> dict[tuple[str, ...], list[tuple[float, float, bool]]]:
    """For each limit, the longest time that each use may have existed, and whether it was a hold that expired.

    A use cannot have existed before its creation, nor after the response that says it was given back.
    """
    by_name = {(str(tenant.id), code.name): code for tenant in races.tenants for code in races.codes[str(tenant.id)]}
    tenants = {str(tenant.id): tenant for tenant in races.tenants}
    rows = superuser.execute(
        "select id::text, organization_id::text, code, person_id, status, extract(epoch from created_at)::float,"
        " extract(epoch from held_until)::float from redemptions where organization_id::text = any (%s)",
        [list(tenants)],
    )
    result = defaultdict(list)
    for id_, organization_id, code, person, status, since, held_until in rows:
        lapsed = status in ("Expired", "Held")
        until = races.returned_at.get(id_, held_until if lapsed else math.inf)
        for counted in by_name[organization_id, code].counts(tenants[organization_id], person):
            result[counted].append((since, until, lapsed))
    return result


def wrong_refusals(superuser: psycopg.Connection, races: Races, spans: Sequence[Span]) -> list[str]:
    """Refusals that are wrong in every possible order of events: at no time can the limit have been reached."""
    possible, wrong = intervals(superuser, races), []
    for counted, constant, sent, answered in races.refusals:
        limit = lowest(spans, since=sent, until=answered) if constant == math.inf else constant
        # A hold that ended while the request waited for a lock may still count: the request read the clock before.
        waited = answered - sent
        uses = ((since, until + waited * lapsed) for since, until, lapsed in possible[counted])
        if max_overlap(uses, since=sent, until=answered) < limit:
            wrong.append(f"{counted} refused from {sent} to {answered}")
    return wrong


def exceeded_limits(races: Races, spans: Sequence[Span]) -> list[str]:
    """Limits that were exceeded at some moment by uses that certainly existed together."""
    sure, limits = defaultdict(list), {}
    for use in races.uses.values():
        for counted, limit in use.counts.items():
            limits[counted] = limit
            if use.since < use.until:
                sure[counted].append((use.since, use.until))
    largest = {counted: max_overlap(uses, since=0, until=math.inf) for counted, uses in sure.items()}
    exceeded = [f"{counted}: {number}" for counted, number in largest.items() if number > limits[counted]]
    turned = sure[str(races.tenants[0].id), "TURNED"]
    held = [(span, max_overlap(turned, since=span.given_at, until=span.asked_back_at)) for span in spans]
    return exceeded + [f"{span}: {number}" for span, number in held if number > span.limit]


def count_uses(superuser: psycopg.Connection, counted: tuple[str, ...]) -> int:
    """The number of uses that the ledger counts against a limit."""
    organization_id, code, *person = counted
    row = superuser.execute(
        "select coalesce(sum(l.redeemed_change + l.held_change), 0)::integer from redemption_ledger l"
        " join redemptions r on r.organization_id = l.organization_id and r.id = l.redemption_id"
        " where r.code = %(code)s and %(organization)s in ('', r.organization_id::text)"
        " and coalesce(%(person)s, r.person_id) = r.person_id",
        {"code": code, "organization": organization_id, "person": person[0] if person else None},
    ).fetchone()
    assert row is not None
    return int(row[0])


async def count_granted(client: httpx.AsyncClient, tenants: list[Tenant], code: Code, persons: list[str]) -> int:
    """The number of these candidates, asking at the same time, who get the code; all others are refused."""
    answers = await asyncio.gather(
        *(
            client.post(
                URL,
                json=body(code.name, f"LAST-{uuid4()}", candidate=candidate(person)),
                headers=tenants[number % len(tenants)].api_key,
            )
            for number, person in enumerate(persons)
        )
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    return sum(answer.status_code == 201 for answer in answers)


async def assert_the_rest_is_granted(
    client: httpx.AsyncClient, superuser: psycopg.Connection, tenants: list[Tenant], code: Code
) -> None:
    """Check that the remaining uses of a code are granted, and not one more."""
    if code.per_candidate and not code.total:
        for person in (f"P-{number}" for number in range(PERSONS)):
            free = code.per_candidate - count_uses(superuser, (str(tenants[0].id), code.name, person))
            assert (code, person, await count_granted(client, tenants, code, [person] * 4)) == (code, person, free)
    if code.total:
        free = int(code.total) - count_uses(superuser, ("" if code.is_global else str(tenants[0].id), code.name))
        persons = [f"LAST-{number}" for number in range(free + 3)]
        assert (code, await count_granted(client, tenants, code, persons)) == (code, free)
    for tenant in tenants if code.per_organization else ():
        free = (code.per_organization or 0) - count_uses(superuser, (str(tenant.id), code.name))
        persons = [f"LAST-{number}" for number in range(free + 3)]
        assert (code, await count_granted(client, [tenant], code, persons)) == (code, free)


async def assert_shown(client: httpx.AsyncClient, superuser: psycopg.Connection, tenant: Tenant) -> None:
    """Check that lists show the redeemed uses of the ledger."""
    shown = (await client.get("/promo-codes", headers=tenant.bearer)).json()["data"]
    rows = superuser.execute(
        "select r.code, sum(l.redeemed_change)::integer from redemption_ledger l"
        " join redemptions r on r.organization_id = l.organization_id and r.id = l.redemption_id"
        " where r.organization_id = %s and r.promo_code_owner_id = %s group by r.code",
        [tenant.id, tenant.id],
    )
    counted: dict[str, int] = dict(rows.fetchall())
    listed = {each["promoCodeName"]: each["redemptionCount"] for each in shown}
    assert listed == {name: counted[name] for name in listed}
    (purchase,) = (await client.get("/api/vouchers/purchases?purchaseCode=VP-1", headers=tenant.bearer)).json()["data"]
    used = (await client.get("/api/vouchers?isUsed=true", headers=tenant.bearer)).json()["data"]
    held = superuser.execute(
        "select count(*) from vouchers where organization_id = %s and held_by is not null", [tenant.id]
    ).fetchone()
    assert held is not None
    assert (len(used), purchase["quantityUsed"]) == (purchase["quantityUsed"], len(VOUCHERS) - held[0])


async def assert_recounted(resources: Resources, races: Races) -> None:
    """Check that every counter agrees with the ledger, in the organizations and for the platform's codes."""
    names = {code.name for codes in races.codes.values() for code in codes}
    for organization_id in (PLATFORM_ID, *(tenant.id for tenant in races.tenants)):
        async with resources.database.unit_of_work(organization_id) as work:
            result = (await ledger.verify(work)).discrepancies
        # Other tests leave codes of the platform behind, which do not matter here.
        assert [each for each in result if organization_id != PLATFORM_ID or each.name.split()[0] in names] == []


def has_short_holds(superuser: psycopg.Connection, races: Races) -> bool:
    """Whether a hold of one second has not ended yet."""
    row = superuser.execute(
        "select exists (select 1 from redemptions where organization_id = any (%s) and status = 'Held'"
        " and held_until > now() and held_until - created_at < interval '10 seconds')",
        [[tenant.id for tenant in races.tenants]],
    ).fetchone()
    return row == (True,)


async def run(
    resources: Resources, races: Races, changing: ChangingLimit, victim: Server, superuser: psycopg.Connection
) -> None:
    """Race all callers while a limit changes and holds expire and are recorded, and kill one server in the middle."""

    async def kill() -> None:
        await races.is_halfway.wait()
        victim.process.kill()

    async def race() -> None:
        await races.race(CALLERS)
        changing.race_is_over = True

    housekeeping = asyncio.create_task(housekeep(resources))
    try:
        async with asyncio.timeout(RACE_SECONDS):
            await asyncio.gather(race(), kill(), changing.change())
    finally:
        housekeeping.cancel()
        with suppress(asyncio.CancelledError):
            await housekeeping
    await until("the last short hold ends", lambda: not has_short_holds(superuser, races))
    await expire_holds(resources)


@pytest.mark.timeout(480)  # so many requests take minutes on a busy machine
async def test_of_thousands_of_racing_redemptions_none_is_too_many_and_none_is_refused_that_was_left(
    resources: Resources, servers: list[Server], superuser: psycopg.Connection
) -> None:
    tenants = [await create_tenant(resources, now=clock()) for _ in range(2)]
    global_codes = await add_global_codes(resources, superuser, tenants[0])
    for tenant in tenants:
        await furnish(resources, tenant)
    connections = Connections([httpx.URL(server.url).port or 0 for server in servers])
    turned, changing = await add_turned_code(resources, superuser, tenants, connections)
    late = await add_late_code(resources, tenants)
    codes = {str(tenant.id): [*OWN, late, *[turned] * 3, *VOUCHERS, *global_codes] for tenant in tenants}
    races = Races(codes=codes, tenants=tenants, connections=connections, random=Random(1), total=TOTAL)
    try:
        await run(resources, races, changing, servers[1], superuser)
    finally:
        await connections.close()
    assert (races.not_started > 0, any(use.code == late.name for use in races.uses.values())) == (True, True)
    assert {(str(tenants[0].id), "TURNED")} == {each.counter for each in races.refusals if each.limit == math.inf}
    wrong = exceeded_limits(races, changing.spans) + wrong_refusals(superuser, races, changing.spans)
    assert (races.unexpected + changing.unexpected, wrong) == ([], [])
    await assert_recounted(resources, races)
    async with httpx.AsyncClient(base_url=servers[0].url, timeout=60) as client:
        for code in global_codes:
            await assert_the_rest_is_granted(client, superuser, tenants, code)
        for tenant in tenants:
            for code in (*set(OWN), late, *VOUCHERS):
                await assert_the_rest_is_granted(client, superuser, [tenant], code)
            await assert_shown(client, superuser, tenant)
        turned = replace(turned, total=changing.spans[-1].limit)
        await assert_the_rest_is_granted(client, superuser, tenants[:1], turned)
    await assert_recounted(resources, races)
