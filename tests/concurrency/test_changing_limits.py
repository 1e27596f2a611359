"""A limit in total that is given and taken away while many candidates redeem the code is exact while it holds."""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import psycopg
from tests.conftest import NOW
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.management_requests import if_match
from tests.support.redemption_requests import candidate, reasons, redeem
from tests.support.waiting import until

from tessera.api.serving.resources import Resources
from tessera.redemptions.ledger import service as ledger

CALLERS = 8
ROUNDS = 4


@dataclass
class Race:
    """Candidates who redeem one code again and again, until the last limit has been taken away."""

    client: httpx.AsyncClient
    tenant: Tenant
    superuser: psycopg.Connection
    url: str
    may_be_limited: bool = False
    is_over: bool = False
    round: int = 0
    granted: int = 0
    refused: asyncio.Event = field(default_factory=asyncio.Event)
    wrong: list[Any] = field(default_factory=list)

    async def call(self, caller: int) -> None:
        number = 0
        while not self.is_over:
            number += 1
            was_limited, began_in = self.may_be_limited, self.round
            person = candidate(f"P-{caller}-{number}")
            answer = await redeem(self.client, self.tenant, "FREE", f"R-{caller}-{number}", candidate=person)
            if answer.status_code == 201:
                self.granted += 1
            elif reasons(answer) == [("/code", "UsedUp")] and (was_limited or self.may_be_limited):
                if began_in == self.round:
                    self.refused.set()
            else:
                self.wrong.append(answer.json())

    async def change_limits(self) -> None:
        for _ in range(ROUNDS):
            self.refused.clear()
            self.round += 1
            self.may_be_limited = True
            limit = await self.give()
            await self.refused.wait()
            for _ in range(3):
                assert self.count() == limit
                await asyncio.sleep(0)
            assert (await self.put(None)).status_code == 200
            self.may_be_limited = False
            await until("uses are granted again", partial(self.has_granted, self.granted + 3))
        self.is_over = True

    def has_granted(self, number: int) -> bool:
        return self.granted >= number

    async def give(self) -> int:
        """Give a limit slightly above the uses so far; the code gains some of them meanwhile."""
        for _ in range(100):
            limit = self.count() + 10
            answer = await self.put(limit)
            if answer.status_code == 200:
                return limit
            assert reasons(answer) == [("/maxRedemptions", "LimitBelowUses")]
        raise AssertionError("no limit was above the uses")

    async def put(self, limit: int | None) -> httpx.Response:
        body = {"discountPercent": 10, "maxRedemptions": limit}
        return await self.client.put(self.url, json=body, headers=if_match("*", self.tenant))

    def count(self) -> int:
        """The number of uses in the ledger."""
        row = self.superuser.execute(
            "select sum(redeemed_change) from redemption_ledger where organization_id = %s", [self.tenant.id]
        ).fetchone()
        assert row is not None
        return int(row[0] or 0)


async def test_a_limit_that_is_given_and_taken_away_while_many_redeem_is_exact(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, superuser: psycopg.Connection
) -> None:
    code = percent_code(tenant, "FREE", max_redemptions=None)
    await add_promo_codes(resources, tenant, code, now=NOW)
    race = Race(client, tenant, superuser, f"/management/v1/promo-codes/{code.id}")
    async with asyncio.TaskGroup() as group:
        group.create_task(race.change_limits())
        for number in range(CALLERS):
            group.create_task(race.call(number))
    assert race.wrong == []
    assert race.count() == race.granted
    assert (await race.put(race.granted + 3)).json()["redemptionCount"] == race.granted
    last = await asyncio.gather(
        *(redeem(client, tenant, "FREE", f"LAST-{number}", candidate=candidate(f"L-{number}")) for number in range(6))
    )
    assert sorted(answer.status_code for answer in last) == [201] * 3 + [409] * 3
    async with resources.database.unit_of_work(tenant.id) as work:
        assert (await ledger.verify(work)).discrepancies == []
