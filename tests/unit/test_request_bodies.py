"""Long bodies are parsed and digested without a delay of other requests."""

import threading
from collections.abc import Mapping
from typing import Annotated

import pytest
from fastapi import Request
from pydantic import PlainValidator, TypeAdapter
from starlette.datastructures import Headers
from starlette.types import Message

from tessera.api.http.errors import Malformed
from tessera.api.http.fields import DocumentedRequestModel, list_of
from tessera.api.http.parsing import MAX_BYTES_INLINE, MAX_CONTAINERS, read_body
from tessera.api.serving import idempotency
from tessera.identity.rules import Principal
from tessera.kit.actors import Actor, ActorKind
from tessera.kit.identifiers import new_id

PRINCIPAL = Principal(new_id(), Actor(ActorKind.API_KEY, new_id(), "Shop"), frozenset())


class Parsed(DocumentedRequestModel):
    """A field whose value is the thread that parses it."""

    thread: Annotated[int, PlainValidator(lambda _: threading.get_ident())]


def request_with(body: bytes, headers: Mapping[str, str] | None = None) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": Headers(headers).raw}
    return Request(scope, receive)


@pytest.mark.parametrize(("size", "is_inline"), [(MAX_BYTES_INLINE, True), (MAX_BYTES_INLINE + 1, False)])
async def test_a_long_body_is_parsed_in_another_thread(size: int, is_inline: bool) -> None:  # noqa: FBT001
    parsed = await read_body(request_with(b'{"thread": 1}'.ljust(size)), Parsed)
    assert (parsed.values["thread"] == threading.get_ident()) == is_inline


@pytest.mark.parametrize(("size", "is_inline"), [(MAX_BYTES_INLINE, True), (MAX_BYTES_INLINE + 1, False)])
async def test_a_long_body_is_digested_in_another_thread(
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    is_inline: bool,  # noqa: FBT001
) -> None:
    threads, canonical = [], idempotency._canonical

    def note_thread(body: bytes) -> bytes:
        threads.append(threading.get_ident())
        return canonical(body)

    monkeypatch.setattr(idempotency, "_canonical", note_thread)
    request = request_with(b"{}".ljust(size), {"Idempotency-Key": "key"})
    assert await idempotency.read_keyed_request(request, PRINCIPAL)
    assert [each == threading.get_ident() for each in threads] == [is_inline]


@pytest.mark.parametrize("container", [b"[]", b"{}"])
async def test_a_body_has_a_limited_number_of_lists_and_objects(container: bytes) -> None:
    async def parse(count: int) -> None:
        await read_body(
            request_with(b'{"thread": 1, "other": [' + b",".join([container] * (count - 2)) + b"]}"), Parsed
        )

    await parse(MAX_CONTAINERS)
    with pytest.raises(Malformed):
        await parse(MAX_CONTAINERS + 1)


def test_a_list_that_is_refused_for_its_length_is_parsed_no_further() -> None:
    parsed: list[int] = []

    def note(value: int) -> int:
        parsed.append(value)
        return value

    numbers = Annotated[tuple[int, ...], list_of(Annotated[int, PlainValidator(note)], "numbers", most=3)]
    assert TypeAdapter(numbers).validate_python(list(range(10))) == (0, 1, 2, 3)
    assert parsed == [0, 1, 2, 3]
