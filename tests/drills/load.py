"""A steady load of writes with idempotency keys, each repeated until it is acknowledged, and what callers noticed."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from random import Random
from typing import Any

from tests.attacks.parties import OWN_CODES, Party
from tests.support.waiting import wait_until

PAUSE_SECONDS = 0.1
SECONDS_FOR_RESPONSE = 40  # longer than any limit of the server, so that a response that is too late is seen
SECONDS_TO_RECOVER = 90
QUANTITY = 2  # the vouchers of a purchase
REDEMPTION, PURCHASE, HOLD = "redemption", "purchase", "hold"
# A server that is being restarted, a database that is away, and a first attempt that still runs.
RETRIED = {409, 429, 503}


@dataclass(frozen=True, slots=True)
class Write:
    """A redemption, a hold or a purchase, with a name that is unique and also its idempotency key."""

    party: Party
    kind: str
    name: str
    code: str

    @property
    def status(self) -> int:
        """The status of its acknowledgement."""
        return 200 if self.kind == PURCHASE else 201

    def request(self) -> tuple[str, str, bytes, dict[str, str]]:
        """Method, path, body and headers."""
        if self.kind == PURCHASE:
            path, credential = "/api/vouchers/purchases", self.party.bearer
            names = {"partnerName": "Acme Corp", "programName": "Acme Program"}
            body: dict[str, Any] = {"notes": self.name, "quantity": QUANTITY, **names}
        else:
            path, credential = "/storefront/v1/redemptions", self.party.api_key
            person = {"personId": self.name, "clientCandidateId": "C", "firstName": "Ada", "lastName": "Byron"}
            body = {"code": self.code, "reservationCode": self.name, "storeExamCode": "NCA-GENL", "candidate": person}
            body |= {"holdSeconds": 600} if self.kind == HOLD else {}
        return "POST", path, json.dumps(body).encode(), {**credential, "Idempotency-Key": self.name}


@dataclass
class Caller:
    """One caller of an organization: its writes, the times of its acknowledgements, and its failed attempts."""

    party: Party
    url: str
    random: Random
    kinds: Sequence[str]
    acknowledged: list[Write] = field(default_factory=list)
    unacknowledged: list[Write] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    slowest: float = 0

    def call(self, stopping: threading.Event) -> None:
        """Send one write after the other, each until it is acknowledged or the time to recover is over."""
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=SECONDS_FOR_RESPONSE)
        while not stopping.is_set():
            write = self._next()
            (self.acknowledged if self._repeat(connection, write) else self.unacknowledged).append(write)
            time.sleep(PAUSE_SECONDS * self.random.uniform(0.5, 1.5))
        connection.close()

    def _next(self) -> Write:
        kind = self.random.choice(self.kinds)
        name = f"{kind}-{self.random.getrandbits(64):016x}"
        return Write(self.party, kind, name, f"SPRING{self.random.randrange(OWN_CODES)}")

    def _repeat(self, connection: HTTPConnection, write: Write) -> bool:
        end = time.time() + SECONDS_TO_RECOVER
        while time.time() < end:
            began = time.time()
            failure = _attempt(connection, write)
            self.slowest = max(self.slowest, time.time() - began)
            if not failure:
                self.times.append(time.time())
                return True
            self.errors[failure] += 1
            time.sleep(PAUSE_SECONDS)
        return False

    def longest_gap(self, since: float) -> float:
        """The longest time between two acknowledgements after `since`, also the time from `since` to the first."""
        later = [since, *(moment for moment in self.times.copy() if moment > since)]
        return max((after - before for before, after in pairwise(later)), default=time.time() - since)


def _attempt(connection: HTTPConnection, write: Write) -> str:
    method, path, body, headers = write.request()
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
    except (OSError, HTTPException) as error:
        connection.close()
        return type(error).__name__
    if response.status == write.status:
        return ""
    return str(response.status) if response.status in RETRIED else f"unexpected {response.status} {content[:200]!r}"


class Load:
    """One caller for each organization."""

    def __init__(self, url: str, parties: Sequence[Party], random: Random, *, kinds: Sequence[str]) -> None:
        self.callers = [Caller(party, url, Random(random.random()), kinds) for party in parties]

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Send writes until the block ends and every caller has its last acknowledgement, or gave up."""
        stopping = threading.Event()
        with ThreadPoolExecutor(len(self.callers)) as threads:
            calls = [threads.submit(caller.call, stopping) for caller in self.callers]
            try:
                self.wait_until_acknowledged(time.time())
                yield
            finally:
                stopping.set()
        for call in calls:
            call.result()

    def wait_until_acknowledged(self, since: float) -> None:
        """Wait until every caller has an acknowledgement from after this time."""
        wait_until(
            "every caller has an acknowledgement",
            lambda: all(caller.times and caller.times[-1] > since for caller in self.callers),
        )

    @property
    def acknowledged(self) -> list[Write]:
        """All writes that were acknowledged."""
        return [write for caller in self.callers for write in caller.acknowledged.copy()]

    @property
    def all_writes(self) -> list[Write]:
        """All writes that were acknowledged or given up."""
        return [*self.acknowledged, *(write for caller in self.callers for write in caller.unacknowledged)]

    @property
    def errors(self) -> Counter[str]:
        """The failed attempts by what the callers saw."""
        return sum((caller.errors for caller in self.callers), Counter[str]())

    @property
    def slowest(self) -> float:
        """The seconds of the longest attempt."""
        return max(caller.slowest for caller in self.callers)

    def gap(self, since: float) -> float:
        """The longest time for which a caller had no acknowledgement after this time."""
        return max(caller.longest_gap(since) for caller in self.callers)
