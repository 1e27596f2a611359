"""Strangers: what somebody does who has the credentials of organization A, or none at all."""

import asyncio
import itertools
import json
import os
import resource
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

import httpx
from jose import jwt

from tessera.identity.authentication.credentials import CredentialName, new_key_text
from tessera.kit.identifiers import new_id
from tests.attacks.parties import Party, Stage
from tests.support.authentication_requests import basic, bearer

Answers = Counter[str]
Attack = Callable[["Stranger"], Awaitable[None]]

VALIDATIONS = "/storefront/v1/validations"
REDEMPTIONS = "/storefront/v1/redemptions"


class Satisfied(Exception):
    """The stranger has got every answer that it wanted."""


class Stranger:
    """Sends requests until its time is over or it has got the answers `until`, and counts the answers by status."""

    def __init__(self, stage: Stage, client: httpx.AsyncClient, until: Collection[str]) -> None:
        self.stage = stage
        self._until = set(until)
        self.answers: Answers = Counter()
        self._client = client

    async def keep_sending(self, connections: int, request: Callable[[], Mapping[str, Any]]) -> None:
        """Send requests over this number of connections, each as soon as the one before it has an answer."""

        async def send() -> None:
            while True:
                try:
                    answer = await self._client.request(**request())
                    self._count(str(answer.status_code))
                except httpx.HTTPError as error:
                    self.answers[type(error).__name__] += 1
                    await asyncio.sleep(0.01)

        await asyncio.gather(*(send() for _ in range(connections)))

    async def keep_connecting(self, connections: int, chunks: Callable[[], AsyncIterator[bytes]]) -> None:
        """Hold this number of connections, and send chunks over each until the server ends it."""

        async def send() -> None:
            while True:
                try:
                    self.answers[await self._converse(chunks())] += 1
                except OSError as error:
                    self.answers[type(error).__name__] += 1
                    await asyncio.sleep(0.05)

        await asyncio.gather(*(send() for _ in range(connections)))

    def _count(self, answer: str) -> None:
        self.answers[answer] += 1
        if self._until and self._until <= self.answers.keys():
            raise Satisfied

    async def _converse(self, chunks: AsyncIterator[bytes]) -> str:
        reader, writer = await asyncio.open_connection(*self.stage.address)
        try:
            async for chunk in chunks:
                writer.write(chunk)
                await writer.drain()
                if reader.at_eof() or reader._buffer:  # type: ignore[attr-defined]
                    break
            line = await reader.readline()
            return line.split(b" ")[1].decode() if b" " in line else "closed"
        finally:
            writer.close()


def _post(url: str, headers: Mapping[str, str], content: Any, **more: Any) -> dict[str, Any]:
    return {"method": "POST", "url": url, "headers": headers, "json": content, **more}


def _unknown() -> str:
    return secrets.token_hex(5).upper()


async def long_questions(stranger: Stranger) -> None:
    """Questions for 1,000 codes that do not exist."""

    def request() -> dict[str, Any]:
        question = {"codes": [_unknown() for _ in range(1000)], "storeExamCode": "NCA-GENL"}
        return _post(VALIDATIONS, stranger.stage.a.api_key, question)

    await stranger.keep_sending(10, request)


async def abandoned_questions(stranger: Stranger) -> None:
    """The same questions, whose sender leaves before the answer."""
    stage = stranger.stage

    async def chunks() -> AsyncIterator[bytes]:
        question = {"codes": [f"SPRING{number % 20}" for number in range(1000)], "storeExamCode": "NCA-GENL"}
        yield _head(stage.a, f"POST {VALIDATIONS}", json.dumps(question).encode())
        raise ConnectionAbortedError

    await stranger.keep_connecting(10, chunks)


async def guessed_codes(stranger: Stranger) -> None:
    """Codes guessed at each door that takes one."""
    key = stranger.stage.a.api_key
    candidate = {"personId": "P", "clientCandidateId": "C", "firstName": "Eve", "lastName": "X"}

    def request() -> dict[str, Any]:
        code = _unknown()
        redemption = {"code": code, "reservationCode": code, "storeExamCode": "NCA-GENL", "candidate": candidate}
        question = {"codes": [code], "storeExamCode": "NCA-GENL"}
        return secrets.choice(
            [
                {"method": "GET", "url": f"/api/v1/promo-codes?code={code}", "headers": key},
                _post(VALIDATIONS, key, question),
                _post(REDEMPTIONS, key, redemption),
            ]
        )

    await stranger.keep_sending(16, request)


async def imports(stranger: Stranger) -> None:
    """Imports of 0.9 MB each."""
    lines = "".join(f"{_unknown()},10\r\n" for _ in range(60_000))
    headers = stranger.stage.a.bearer | {"Content-Type": "text/csv"}
    url = "/management/v1/promo-code-imports?dryRun=true"
    await stranger.keep_sending(
        10, lambda: {"method": "POST", "url": url, "headers": headers, "content": f"name,flatDiscount\r\n{lines}"}
    )


async def exports(stranger: Stranger) -> None:
    """Exports and reports."""
    urls = itertools.cycle(
        ["exports/promo-codes", "exports/redemptions", "reports/redemptions?by=code", "reports/vouchers"]
    )
    headers = stranger.stage.a.bearer
    await stranger.keep_sending(
        20, lambda: {"method": "GET", "url": f"/management/v1/{next(urls)}", "headers": headers}
    )


async def long_lists(stranger: Stranger) -> None:
    """Bulk actions that list 15,000 vouchers and recipients, where 1,000 are allowed."""
    vouchers = [{"code": _unknown(), "recipientEmail": f"person{number}@example.com"} for number in range(15_000)]
    content = json.dumps({"action": "Assign", "vouchers": vouchers})
    headers = stranger.stage.a.bearer | {"Content-Type": "application/json"}
    url = "/management/v1/vouchers/bulk"
    await stranger.keep_sending(6, lambda: {"method": "POST", "url": url, "headers": headers, "content": content})


async def huge_heads(stranger: Stranger) -> None:
    """Heads that do not end, as fast as the server reads them."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"GET /promo-codes HTTP/1.1\r\nHost: x\r\nX-Long: "
        while True:
            yield b"x" * 65_536

    await stranger.keep_connecting(5, chunks)


async def slow_heads(stranger: Stranger) -> None:
    """Heads that arrive by a byte a second, over 200 connections."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"GET /promo-codes HTTP/1.1\r\nHost: x\r\nX-Slow: "
        while True:
            await asyncio.sleep(1)
            yield b"x"

    await stranger.keep_connecting(200, chunks)


async def slow_bodies(stranger: Stranger) -> None:
    """Bodies of 1 MiB that stop before their end, over 100 connections with a valid credential."""
    stage = stranger.stage

    async def chunks() -> AsyncIterator[bytes]:
        body = b" " * (2**20 - 1)
        yield _head(stage.a, "POST /management/v1/promo-codes", body)[:-1]
        while True:
            await asyncio.sleep(1)
            yield b""

    await stranger.keep_connecting(100, chunks)


async def forms_of_strangers(stranger: Stranger) -> None:
    """Forms of almost 1 MiB for a token, without any credential."""
    form = f"grant_type=client_credentials&client_id={'x' * 1_000_000}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    await stranger.keep_sending(
        20, lambda: {"method": "POST", "url": "/oauth/token", "headers": headers, "content": form}
    )


async def two_thousand_connections(stranger: Stranger) -> None:
    """Two thousand connections that send nothing."""

    async def chunks() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(1)
            yield b""

    await stranger.keep_connecting(2000, chunks)


async def invented_keys(stranger: Stranger) -> None:
    """Keys of B that were never issued, each another one."""
    organization_id = stranger.stage.b.id

    def request() -> dict[str, Any]:
        key = new_key_text(CredentialName(organization_id, new_id()))
        return {"method": "GET", "url": "/api/v1/promo-codes?code=SPRING1", "headers": {"cv-api-key": key}}

    await stranger.keep_sending(16, request)


async def guessed_secrets(stranger: Stranger) -> None:
    """Secrets guessed for the client, the key and the token of B, at every door."""
    b = stranger.stage.b
    claims = jwt.get_unverified_claims(b.token)
    forged = jwt.encode(claims, "x" * 40, headers={"kid": "attack"})
    name = b.key[:47]

    def request() -> dict[str, Any]:
        secret = secrets.token_urlsafe(32)
        form = {"grant_type": "client_credentials", "client_id": b.client_id, "client_secret": secret}
        return secrets.choice(
            [
                {"method": "GET", "url": "/authenticate", "headers": basic(b.client_id, secret)},
                {"method": "POST", "url": "/oauth/token", "data": form},
                {"method": "GET", "url": "/api/v1/promo-codes?code=X", "headers": {"cv-api-key": f"{name}_{secret}"}},
                {"method": "GET", "url": "/promo-codes", "headers": bearer(forged)},
            ]
        )

    await stranger.keep_sending(16, request)


async def batches(stranger: Stranger) -> None:
    """Batches of 100,000 promo codes, as many as the server takes."""
    numbers = itertools.count()

    def request() -> dict[str, Any]:
        batch = {"quantity": 100_000, "prefix": f"B{next(numbers)}X", "length": 9, "flatDiscount": 1}
        return _post("/management/v1/promo-code-batches", stranger.stage.a.bearer, batch)

    await stranger.keep_sending(4, request)


async def purchases(stranger: Stranger) -> None:
    """Purchases of 1,000 vouchers each."""
    order = {"notes": "All", "partnerName": "Acme Corp", "programName": "Acme Program", "quantity": 1000}
    await stranger.keep_sending(8, lambda: _post("/api/vouchers/purchases", stranger.stage.a.bearer, order))


async def many_neighbours(stranger: Stranger) -> None:
    """Fifty connections of five other organizations, which do what B does."""
    tenants = itertools.cycle(stranger.stage.others)

    def request() -> dict[str, Any]:
        tenant = next(tenants)
        question = {"codes": ["SPRING1", "SPRING2"], "storeExamCode": "NCA-GENL"}
        return secrets.choice(
            [
                _post(VALIDATIONS, tenant.api_key, question),
                {"method": "GET", "url": "/promo-codes", "headers": tenant.bearer},
                {"method": "GET", "url": "/management/v1/promo-codes?limit=10", "headers": tenant.bearer},
            ]
        )

    await stranger.keep_sending(50, request)


def _head(tenant: Party, line: str, body: bytes) -> bytes:
    lines = [f"{line} HTTP/1.1", "Host: x", f"Authorization: {tenant.bearer['Authorization']}"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        long_questions,
        abandoned_questions,
        guessed_codes,
        imports,
        exports,
        long_lists,
        huge_heads,
        slow_heads,
        slow_bodies,
        forms_of_strangers,
        two_thousand_connections,
        invented_keys,
        guessed_secrets,
        batches,
        purchases,
        many_neighbours,
    )
}


def attack(stage: Stage, name: str, seconds: float, until: Collection[str] = ()) -> Answers:
    """Run an attack for some seconds, or until it has got these answers.

    This process leaves the processor to the server if both want it.
    """
    os.setpriority(os.PRIO_PROCESS, 0, 10)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return asyncio.run(_attack(stage, name, seconds, until))


async def _attack(stage: Stage, name: str, seconds: float, until: Collection[str]) -> Answers:
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    async with httpx.AsyncClient(base_url=stage.url, timeout=60, limits=limits, trust_env=False) as client:
        stranger = Stranger(stage, client, until)
        with suppress(TimeoutError, Satisfied):
            await asyncio.wait_for(ATTACKS[name](stranger), seconds)
    return stranger.answers
