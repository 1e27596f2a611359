"""Log lines: their form in a terminal, and their way to standard error."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest
from structlog import wrap_logger
from structlog.testing import LogCapture

from tessera.api.serving.repeated_refusals import MAX_CALLERS, RepeatedRefusals
from tessera.kit.logging import (
    ATOMIC_BYTES,
    MAX_FRAMES,
    MAX_TRACEBACK,
    LineHandler,
    LineWriter,
    format_traceback,
    shorten,
)

EVENT = {"timestamp": "12:00:00", "level": "info", "logger": "tessera.request"}
REQUEST = {"event": "request", "method": "GET", "organization": None, "request_id": "x"}


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"route": "/promo-codes", "status": 200, "ms": 3.6}, "GET /promo-codes 200 4 ms"),
        ({"route": None, "path": "/*", "status": 404, "ms": 1.0, "reason": "NotFound"}, "GET /* 404 NotFound 1 ms"),
        (
            {
                "event": "repeated requests",
                "route": "/promo-codes",
                "status": 401,
                "reason": "TokenExpired",
                "count": 7,
            },
            "GET /promo-codes 401 TokenExpired 7 more times",
        ),
    ],
)
def test_requests_are_short_lines_in_a_terminal(fields: dict[str, object], line: str) -> None:
    event = {**EVENT, **REQUEST, **fields}
    assert shorten(None, "info", event) == {"timestamp": "12:00:00", "level": "info", "event": line}


def test_any_other_event_keeps_its_values() -> None:
    assert shorten(None, "info", {**EVENT, "event": "database", "port": 5432}) == {
        "timestamp": "12:00:00",
        "level": "info",
        "event": "database",
        "port": 5432,
    }


def test_a_traceback_has_its_innermost_frames_without_variables_and_a_limited_length() -> None:
    def there(depth: int) -> None:
        secret = "a" * 20 + "b"
        back(depth, secret)

    def back(depth: int, secret: str) -> None:
        if not depth:
            raise ValueError("x" * length)
        there(depth - 1)

    for length in (1, 4_000_000):
        with pytest.raises(ValueError, match="x") as caught:
            there(200)
        text = format_traceback((caught.type, caught.value, caught.tb))
        assert len(text) < MAX_TRACEBACK + 20
        assert "a" * 20 not in text
        if length == 1:
            assert text.count(", in there\n") + text.count(", in back\n") == MAX_FRAMES


@contextmanager
def pipe() -> Iterator[tuple[int, IO[str]]]:
    """The end of a pipe to read from, which never blocks, and a stream that writes to it."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(writing, "w") as stream:
        yield reading, stream
    os.close(reading)


async def test_lines_of_one_turn_of_the_loop_are_written_together_in_their_order() -> None:
    with pipe() as (reading, stream):
        writer = LineWriter(stream)
        handler = LineHandler(writer)
        writer.write(b"first")
        handler.emit(logging.LogRecord("library", logging.WARNING, "", 0, "second", None, None))
        writer.write("third \udc80")
        with pytest.raises(BlockingIOError):
            os.read(reading, 100)
        await asyncio.sleep(0)
        assert os.read(reading, 100) == b"first\nsecond\nthird \\udc80\n"


def test_a_line_outside_of_a_loop_is_written_at_once_after_those_that_a_loop_left() -> None:
    with pipe() as (reading, stream):
        writer = LineWriter(stream)
        loop = asyncio.new_event_loop()
        loop.call_soon(writer.write, b"left")
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        writer.write(b"next")
        assert os.read(reading, 100) == b"left\nnext\n"


async def test_no_write_to_a_shared_pipe_can_be_mixed_with_those_of_another_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []
    write = os.write

    def observed(descriptor: int, content: memoryview) -> int:
        sizes.append(len(content))
        return write(descriptor, content)

    monkeypatch.setattr(os, "write", observed)
    with pipe() as (reading, stream):
        writer = LineWriter(stream)
        for _ in range(10):
            writer.write(b"x" * 999)
        await asyncio.sleep(0)
        assert len(os.read(reading, 20_000)) == 10_000
    assert sizes == [4_000, 4_000, 2_000]
    assert max(sizes) <= ATOMIC_BYTES


def test_a_log_whose_reader_has_gone_ends_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        LineWriter(stream).write(b"lost")


def refusal(**fields: object) -> dict[str, object]:
    """The event of a refused request."""
    names = {"route": "/promo-codes", "status": 401, "reason": "NotAuthenticated", "cause": "The token is not valid."}
    return {"method": "GET", **names, "credential": None, "address": "192.0.2.1", "request_id": "x", "ms": 1.0} | fields


@pytest.fixture
def captured() -> LogCapture:
    return LogCapture()


@pytest.fixture
def refusals(captured: LogCapture) -> RepeatedRefusals:
    return RepeatedRefusals(wrap_logger(None, processors=[captured]))


async def test_refusals_of_one_kind_and_caller_are_one_event_with_a_count(
    refusals: RepeatedRefusals, captured: LogCapture
) -> None:
    for number in range(5):
        # A caller that invents credentials is still one caller.
        refusals.note(refusal(credential=f"key {number}", request_id=str(number)))
    refusals.note(refusal(address="192.0.2.2"))
    refusals.note(refusal(cause="The token has expired."))
    assert [line["event"] for line in captured.entries] == ["request"] * 3
    captured.entries.clear()
    refusals.summarize()
    (line,) = captured.entries
    assert (line["event"], line["count"], line["address"]) == ("repeated requests", 4, "192.0.2.1")
    assert "request_id" not in line
    refusals.note(refusal())
    refusals.summarize()
    refusals.summarize()
    refusals.note(refusal())
    assert [(line["event"], line.get("count")) for line in captured.entries[1:]] == [
        ("repeated requests", 1),
        ("request", None),
    ]


async def test_a_known_caller_is_one_caller_at_every_address(refusals: RepeatedRefusals, captured: LogCapture) -> None:
    for number in range(3):
        refusals.note(refusal(status=404, credential="key 1", address=f"192.0.2.{number}"))
    assert len(captured.entries) == 1


async def test_invented_callers_do_not_fill_memory_or_the_log(refusals: RepeatedRefusals, captured: LogCapture) -> None:
    for number in range(MAX_CALLERS + 500):
        refusals.note(refusal(address=str(number), cause=str(number)))
    assert len(captured.entries) == MAX_CALLERS + 1


LIBRARIES = """
import logging
from tessera.kit.logging import configure
configure()
logging.getLogger("asyncio").warning("slow: %s", "\\u00e9")
logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
logging.getLogger("uvicorn.error").error("failed")
"""


def test_lines_of_libraries_are_json_too_and_exclude_warnings_that_strangers_can_cause() -> None:
    output = subprocess.run([sys.executable, "-c", LIBRARIES], check=True, stderr=subprocess.PIPE, timeout=60).stderr
    lines = [json.loads(line) for line in output.splitlines()]
    assert [(line["logger"], line["level"], line["event"]) for line in lines] == [
        ("asyncio", "warning", "slow: é"),
        ("uvicorn.error", "error", "failed"),
    ]
