"""A limit in total that is given to a code and taken away while callers race for it."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from tests.support.connections import Answer, Connections
from tests.support.factories import Tenant
from tests.support.management_requests import ROOT, if_match

SECONDS = 1


@dataclass
class Span:
    """A limit that held from `given_at` to `asked_back_at`, and possibly from `asked_at` to `taken_at`."""

    limit: int
    asked_at: float
    given_at: float = math.inf
    asked_back_at: float = math.inf
    taken_at: float = math.inf


@dataclass
class ChangingLimit:
    """Gives and takes the limit of a code until the race is over; `count` returns the uses of the code so far."""

    connections: Connections
    tenant: Tenant
    code_id: UUID
    count: Callable[[], int]
    race_is_over: bool = False
    spans: list[Span] = field(default_factory=list)
    unexpected: list[Answer] = field(default_factory=list)

    async def change(self) -> None:
        """Give a limit just above the uses so far, and take it away, again and again; the last one stays."""
        while True:
            limit = self.count() + 1
            given = await self._put(limit)
            if given.status == 200:
                span = Span(limit, given.sent_at, given.received_at)
                self.spans.append(span)
                if self.race_is_over:
                    return
                await asyncio.sleep(SECONDS)
                taken = await self._put(None)
                span.asked_back_at, span.taken_at = taken.sent_at, taken.received_at
                self.unexpected += [taken] if taken.status != 200 else []
            elif b"LimitBelowUses" not in given.body:
                self.unexpected.append(given)
            await asyncio.sleep(SECONDS)

    async def _put(self, limit: int | None) -> Answer:
        body = {"discountPercent": 10, "isCombinable": True, "maxRedemptions": limit}
        path, headers = f"{ROOT}/promo-codes/{self.code_id}", if_match("*", self.tenant)
        return await self.connections.send(0, "PUT", path, headers, body)


def lowest(spans: Sequence[Span], *, since: float, until: float) -> float:
    """The lowest limit that may have held at some moment of this time."""
    limits = (span.limit for span in spans if span.asked_at <= until and span.taken_at >= since)
    return min(limits, default=math.inf)
