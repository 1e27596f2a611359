"""Callers that race through several servers, and what they know of the uses that they were given."""

import asyncio
import json
import math
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from random import Random
from typing import Any, NamedTuple

from tests.support.factories import Tenant
from tests.support.redemption_requests import RESERVATIONS, URL, body, candidate

GIVEN_BACK = ("Cancelled", "Released")
PERSONS = 8


class Answer(NamedTuple):
    """An answer, and between which times it was decided."""

    status: int
    body: bytes
    sent: float
    answered: float

    def json(self) -> Any:
        return json.loads(self.body)


class Line:
    """One caller's connection to each server; what gets no answer is sent again to another server."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._open: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def send(self, server: int, method: str, path: str, headers: dict[str, str], content: Any = None) -> Answer:
        data = b"" if content is None else json.dumps(content).encode()
        lines = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(data)), **headers}
        head = "".join([f"{method} {path} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in lines.items())])
        sent = time.time()
        for attempt in count():
            number = (server + attempt) % len(self._ports)
            try:
                status, found = await self._exchange(number, f"{head}\r\n".encode() + data)
            except (OSError, asyncio.IncompleteReadError):
                await self._close(number)
                continue
            if status == 409 and b"is still running" in found:
                await asyncio.sleep(0.01)
                continue
            return Answer(status, found, sent, time.time())
        raise AssertionError

    async def _exchange(self, number: int, request: bytes) -> tuple[int, bytes]:
        if number not in self._open:
            self._open[number] = await asyncio.open_connection("127.0.0.1", self._ports[number])
        reader, writer = self._open[number]
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        return int(head.split()[1]), await reader.readexactly(length)

    async def close(self) -> None:
        for number in list(self._open):
            await self._close(number)

    async def _close(self, number: int) -> None:
        if number in self._open:
            _, writer = self._open.pop(number)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@dataclass(frozen=True)
class Code:
    """A code and its limits; a global one is the same in every organization."""

    name: str
    total: int | None
    per_candidate: int | None = None
    is_global: bool = False

    def counts(self, tenant: Tenant, person: str) -> dict[tuple[str, ...], int]:
        """What a use counts against, with the limit of each."""
        place = ("" if self.is_global else str(tenant.id), self.name)
        limits = {place: self.total, (str(tenant.id), self.name, person): self.per_candidate}
        return {name: limit for name, limit in limits.items() if limit is not None}


@dataclass
class Use:
    """A granted use, which was surely there from the answer until somebody asked to give it back, or its hold ended."""

    id: str
    code: str
    counts: dict[tuple[str, ...], int]
    since: float
    held_until: float
    is_held: bool
    is_confirmed: bool = False
    asked_back: float = math.inf

    @property
    def until(self) -> float:
        return min(self.asked_back, math.inf if self.is_confirmed else self.held_until)


@dataclass
class Booking:
    """A reservation that one caller at a time changes."""

    tenant: Tenant
    code: str
    uses: list[Use] = field(default_factory=list)


class Refusal(NamedTuple):
    """That a limit was told to be reached."""

    counted: tuple[str, ...]
    limit: int
    sent: float
    answered: float


@dataclass
class Races:
    """All that is asked, and what was answered; `wanted` requests to redeem are sent in all."""

    codes: dict[str, list[Code]]
    tenants: list[Tenant]
    ports: Sequence[int]
    random: Random
    wanted: int
    sent: int = 0
    uses: dict[str, Use] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    strange: list[Answer] = field(default_factory=list)
    bookings: list[Booking] = field(default_factory=list)
    is_halfway: asyncio.Event = field(default_factory=asyncio.Event)

    async def race(self, callers: int) -> None:
        """Send all that is wanted, so many at a time."""
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(self._call())

    async def _call(self) -> None:
        lines = Line(self.ports), Line(self.ports)
        while self.sent < self.wanted:
            booking = Booking(self.random.choice(self.tenants), self._new_code())
            if self.bookings and self.random.random() < 0.08:
                booking = self.bookings.pop(self.random.randrange(len(self.bookings)))
                if not await self._change(lines, booking):
                    continue
                if self.random.random() < 0.8:
                    self.bookings.append(booking)
                    continue
            await self._redeem(lines, booking)
            if booking.uses:
                self.bookings.append(booking)
        for line in lines:
            await line.close()

    def _new_code(self) -> str:
        return f"RSV-{self.random.getrandbits(64):x}"

    async def _redeem(self, lines: tuple[Line, Line], booking: Booking) -> None:
        code, person = self.random.choice(self.codes[str(booking.tenant.id)]), f"P-{self.random.randrange(PERSONS)}"
        if any(code.name == use.code for use in booking.uses):
            return
        seconds = self.random.choices([None, 1, 600], [5, 4, 1])[0]
        content = body(code.name, booking.code, candidate=candidate(person), holdSeconds=seconds)
        headers = booking.tenant.api_key
        if self.random.random() < 0.2:
            headers |= {"Idempotency-Key": self._new_code()}
        answers = await self._send(lines, "POST", URL, headers, content, twice=self.random.random() < 0.1)
        self.sent += len(answers)
        if self.sent > self.wanted // 2:
            self.is_halfway.set()
        for answer in answers:
            self._note(answer, booking, code, person)
        ids = {answer.json()["id"] for answer in answers if answer.status == 201}
        assert len(ids) <= 1 or seconds == 1, "the same request, and two redemptions"

    def _note(self, answer: Answer, booking: Booking, code: Code, person: str) -> None:
        counts = code.counts(booking.tenant, person)
        if answer.status == 201:
            found = answer.json()
            if found["id"] not in self.uses:
                until = datetime.fromisoformat(found["heldUntil"]).timestamp() if found["heldUntil"] else math.inf
                use = Use(found["id"], code.name, counts, answer.answered, until, is_held=found["status"] == "Held")
                self.uses[use.id] = use
                booking.uses.append(use)
        elif answer.status == 409 and b"not-redeemable" in answer.body:
            reasons = {error["code"] for error in answer.json()["errors"]}
            for counted, limit in counts.items():
                if reasons & ({"UsedUp", "Used", "Held"} if len(counted) == 2 else {"UsedUpForCandidate"}):
                    self.refusals.append(Refusal(counted, limit, answer.sent, answer.answered))
            if reasons - {"UsedUp", "Used", "Held", "UsedUpForCandidate"}:
                self.strange.append(answer)
        else:
            self.strange.append(answer)

    async def _change(self, lines: tuple[Line, Line], booking: Booking) -> bool:
        """Do something with a reservation or a use of it; says whether the reservation goes on."""
        use = self.random.choice(booking.uses)
        kind = self.random.choices(["confirm", "give back", "both", "cancel", "reschedule"], [4, 10, 2, 3, 1])[0]
        back = "release" if use.is_held and not use.is_confirmed else "cancel"
        match kind:
            case "confirm" if back == "release":
                await self._act(lines[0], booking, use, "confirm")
            case "both":
                await asyncio.gather(
                    self._act(lines[0], booking, use, self.random.choice(["confirm", back])),
                    self._tell(lines[1], booking, {"status": "Cancelled"}),
                )
                return False
            case "cancel":
                await self._tell(lines[0], booking, {"status": "Cancelled"})
                return False
            case "reschedule":
                code = self._new_code()
                await self._tell(lines[0], booking, {"status": "Rescheduled", "reservationCode": code})
                booking.code = code
            case _:
                await self._act(lines[0], booking, use, back)
                booking.uses.remove(use)
        return bool(booking.uses)

    async def _act(self, line: Line, booking: Booking, use: Use, action: str) -> None:
        if action != "confirm":
            use.asked_back = min(use.asked_back, time.time())
        (answer,) = await self._send((line, line), "POST", f"{URL}/{use.id}/{action}", booking.tenant.api_key)
        if answer.status == 200:
            use.is_confirmed |= action == "confirm"
            self._note_gone([answer.json()], answer)
        elif answer.status != 409 or b"wrong-state" not in answer.body:
            self.strange.append(answer)

    async def _tell(self, line: Line, booking: Booking, content: dict[str, str]) -> None:
        for use in booking.uses if content["status"] == "Cancelled" else []:
            use.asked_back = min(use.asked_back, time.time())
        path = f"{RESERVATIONS}/{booking.code}"
        (answer,) = await self._send((line, line), "PUT", path, booking.tenant.api_key, content)
        if answer.status == 200:
            self._note_gone(answer.json()["redemptions"], answer)
        else:
            self.strange.append(answer)

    def _note_gone(self, redemptions: Iterable[dict[str, Any]], answer: Answer) -> None:
        for each in redemptions:
            if each["status"] in GIVEN_BACK:
                self.gone.setdefault(each["id"], answer.answered)

    async def _send(self, lines: Sequence[Line], *request: Any, twice: bool = False) -> list[Answer]:
        server = self.random.randrange(len(self.ports))
        pairs = zip(lines, (server, server + 1), strict=True)
        return list(await asyncio.gather(*(line.send(at, *request) for line, at in list(pairs)[: 1 + twice])))


def most(intervals: Iterable[tuple[float, float]], *, since: float, until: float) -> int:
    """How many of these intervals are there at once at most, within a time."""
    changes = []
    for start, end in intervals:
        if start <= until and end >= since:
            changes += [(start, 1), (end, -1)]
    most_, now = 0, 0
    for _, change in sorted(changes, key=lambda each: (each[0], -each[1])):
        now += change
        most_ = max(most_, now)
    return most_
