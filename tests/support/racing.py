"""Callers that race through several servers, and a record of the uses that they receive."""

import asyncio
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, NamedTuple

from tests.support.connections import Answer, Connections
from tests.support.factories import Tenant
from tests.support.redemption_requests import RESERVATIONS, URL, body, candidate

RETURNED = ("Cancelled", "Released")
PERSONS = 8


@dataclass(frozen=True)
class Code:
    """A code and its limits; a global one is the same in every organization, and `starts_at` is a POSIX time.

    A total that changes during the race is infinite.
    """

    name: str
    total: float | None
    per_candidate: int | None = None
    is_global: bool = False
    per_organization: int | None = None
    starts_at: float = -math.inf

    def counts(self, tenant: Tenant, person: str) -> dict[tuple[str, ...], float]:
        """The limits of the counters that a use increments, by counter."""
        code = ("" if self.is_global else str(tenant.id), self.name)
        limits: dict[tuple[str, ...], float | None] = {
            code: self.total,
            (str(tenant.id), self.name, person): self.per_candidate,
        }
        if self.is_global:
            limits[str(tenant.id), self.name] = self.per_organization
        return {counter: limit for counter, limit in limits.items() if limit is not None}

    def refusals(self, counter: tuple[str, ...]) -> set[str]:
        """The reasons that report that the limit of this counter is reached."""
        if len(counter) == 3:
            return {"UsedUpForCandidate"}
        return {"UsedUpForOrganization"} if self.is_global and counter[0] else {"UsedUp", "Used", "Held"}


@dataclass
class Use:
    """A use. It exists at least from the response until a caller requests its return or its hold ends."""

    id: str
    code: str
    counts: dict[tuple[str, ...], float]
    since: float
    held_until: float
    is_held: bool
    is_confirmed: bool = False
    return_requested: float = math.inf

    @property
    def until(self) -> float:
        return min(self.return_requested, math.inf if self.is_confirmed else self.held_until)


@dataclass
class Booking:
    """A reservation of one person, which only one caller changes at a time."""

    tenant: Tenant
    code: str
    person: str
    uses: list[Use] = field(default_factory=list)


class Refusal(NamedTuple):
    """A response that reports that the limit of a counter is reached."""

    counter: tuple[str, ...]
    limit: float
    sent_at: float
    received_at: float


@dataclass
class Races:
    """The requests of all callers, of which `total` are redemptions, and the responses."""

    codes: dict[str, list[Code]]
    tenants: list[Tenant]
    connections: Connections
    random: Random
    total: int
    sent: int = 0
    uses: dict[str, Use] = field(default_factory=dict)
    returned_at: dict[str, float] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    not_started: int = 0
    unexpected: list[Answer] = field(default_factory=list)
    bookings: list[Booking] = field(default_factory=list)
    is_halfway: asyncio.Event = field(default_factory=asyncio.Event)

    async def race(self, callers: int) -> None:
        """Send all requests from this number of concurrent callers."""
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(self._call())

    async def _call(self) -> None:
        while self.sent < self.total:
            booking = self._new_booking()
            if self.bookings and self.random.random() < 0.08:
                booking = self.bookings.pop(self.random.randrange(len(self.bookings)))
                if not await self._change(booking):
                    continue
                if self.random.random() < 0.8:
                    self.bookings.append(booking)
                    continue
            await self._redeem(booking)
            if booking.uses:
                self.bookings.append(booking)

    def _new_booking(self) -> Booking:
        person = f"P-{self.random.randrange(PERSONS)}"
        return Booking(self.random.choice(self.tenants), self._new_code(), person)

    def _new_code(self) -> str:
        return f"RSV-{self.random.getrandbits(64):x}"

    async def _redeem(self, booking: Booking) -> None:
        code, person = self.random.choice(self.codes[str(booking.tenant.id)]), booking.person
        if any(code.name == use.code for use in booking.uses):
            return
        seconds = self.random.choices([None, 1, 600], [5, 4, 1])[0]
        content = body(code.name, booking.code, candidate=candidate(person), holdSeconds=seconds)
        headers = booking.tenant.api_key
        if self.random.random() < 0.2:
            headers |= {"Idempotency-Key": self._new_code()}
        answers = await self._send("POST", URL, headers, content, twice=self.random.random() < 0.1)
        self.sent += len(answers)
        if self.sent > self.total // 2:
            self.is_halfway.set()
        for answer in answers:
            self._note(answer, booking, code, person)
            self._note_start(answer, code)
        ids = {answer.json()["id"] for answer in answers if answer.status == 201}
        assert len(ids) <= 1 or seconds == 1, "the same request caused two redemptions"

    def _note(self, answer: Answer, booking: Booking, code: Code, person: str) -> None:
        counts = code.counts(booking.tenant, person)
        if answer.status == 201:
            redemption = answer.json()
            if redemption["id"] not in self.uses:
                held_until = redemption["heldUntil"]
                until = datetime.fromisoformat(held_until).timestamp() if held_until else math.inf
                is_held = redemption["status"] == "Held"
                use = Use(redemption["id"], code.name, counts, answer.received_at, until, is_held=is_held)
                self.uses[use.id] = use
                booking.uses.append(use)
        elif answer.status == 409 and b"not-redeemable" in answer.body:
            reasons = {error["code"] for error in answer.json()["errors"]}
            for counter, limit in counts.items():
                if reasons & code.refusals(counter):
                    self.refusals.append(Refusal(counter, limit, answer.sent_at, answer.received_at))
            # A voucher cannot be combined; all promo codes of the races can.
            possible = {"NotCombinable"} if booking.uses else set()
            possible |= {"UsedUp", "Used", "Held", "UsedUpForCandidate", "UsedUpForOrganization", "NotStarted"}
            if reasons - possible:
                self.unexpected.append(answer)
        else:
            self.unexpected.append(answer)

    def _note_start(self, answer: Answer, code: Code) -> None:
        has_not_started = answer.status == 409 and b"NotStarted" in answer.body
        self.not_started += has_not_started
        # The time of the response would come too late on a busy machine.
        created_at = answer.json()["createdAt"] if answer.status == 201 else None
        is_early = created_at is not None and datetime.fromisoformat(created_at).timestamp() < code.starts_at
        if is_early or (has_not_started and answer.sent_at >= code.starts_at):
            self.unexpected.append(answer)

    async def _change(self, booking: Booking) -> bool:
        """Change a reservation or one of its uses at random; returns whether it has any uses left."""
        use = self.random.choice(booking.uses)
        kind = self.random.choices(["confirm", "return", "both", "cancel", "reschedule"], [4, 10, 2, 3, 1])[0]
        back = "release" if use.is_held and not use.is_confirmed else "cancel"
        match kind:
            case "confirm" if back == "release":
                await self._act(booking, use, "confirm")
            case "both":
                await asyncio.gather(
                    self._act(booking, use, self.random.choice(["confirm", back])),
                    self._update_reservation(booking, {"status": "Cancelled"}),
                )
                return False
            case "cancel":
                await self._update_reservation(booking, {"status": "Cancelled"})
                return False
            case "reschedule":
                code = self._new_code()
                await self._update_reservation(booking, {"status": "Rescheduled", "reservationCode": code})
                booking.code = code
            case _:
                await self._act(booking, use, back)
                booking.uses.remove(use)
        return bool(booking.uses)

    async def _act(self, booking: Booking, use: Use, action: str) -> None:
        if action != "confirm":
            use.return_requested = min(use.return_requested, time.time())
        (answer,) = await self._send("POST", f"{URL}/{use.id}/{action}", booking.tenant.api_key)
        if answer.status == 200:
            use.is_confirmed |= action == "confirm"
            self._note_returns([answer.json()], answer)
        elif answer.status != 409 or b"wrong-state" not in answer.body:
            self.unexpected.append(answer)

    async def _update_reservation(self, booking: Booking, content: dict[str, str]) -> None:
        for use in booking.uses if content["status"] == "Cancelled" else []:
            use.return_requested = min(use.return_requested, time.time())
        path = f"{RESERVATIONS}/{booking.code}"
        (answer,) = await self._send("PUT", path, booking.tenant.api_key, content)
        if answer.status == 200:
            self._note_returns(answer.json()["redemptions"], answer)
        else:
            self.unexpected.append(answer)

    def _note_returns(self, redemptions: Iterable[dict[str, Any]], answer: Answer) -> None:
        for each in redemptions:
            if each["status"] in RETURNED:
                self.returned_at.setdefault(each["id"], answer.received_at)

    async def _send(self, *request: Any, twice: bool = False) -> list[Answer]:
        server = self.random.randrange(len(self.connections.ports))
        servers = (server, server + 1) if twice else (server,)
        return list(await asyncio.gather(*(self.connections.send(each, *request) for each in servers)))


def max_overlap(intervals: Iterable[tuple[float, float]], *, since: float, until: float) -> int:
    """The largest number of these intervals that overlap at any moment between `since` and `until`."""
    changes = []
    for start, end in intervals:
        if start <= until and end >= since:
            changes += [(start, 1), (end, -1)]
    largest, current = 0, 0
    for _, change in sorted(changes, key=lambda each: (each[0], -each[1])):
        current += change
        largest = max(largest, current)
    return largest
