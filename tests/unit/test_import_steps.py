"""The steps in which the lines of an import are checked, each in a thread that nobody can stop."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from tests.conftest import NOW

from tessera.identity.rules import PLATFORM_ID
from tessera.promo_codes.imports import service
from tessera.promo_codes.imports.parsing import Line
from tessera.promo_codes.rules import PromoCodeDraft


def line(number: int, addresses: int) -> Line:
    emails = tuple(f"u{each}@example.com" for each in range(addresses))
    return Line(number, PromoCodeDraft(name=f"CODE{number}", discount_percent=5, email_addresses=emails))


async def test_a_step_is_short_if_its_lines_have_many_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LINES_PER_BATCH", 10)
    state = service._Import(
        PLATFORM_ID, iter([*(line(number, 4) for number in range(3)), *map(line, range(3, 14), [0] * 11)])
    )
    assert [len(await service._read_next(state, NOW)) for _ in range(4)] == [2, 6, 6, 0]


async def test_a_cancelled_import_waits_until_nobody_reads_its_file() -> None:
    is_reading, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def lines() -> Iterator[Line]:
        loop.call_soon_threadsafe(is_reading.set)
        go_on.wait(60)
        yield line(1, 0)

    task = asyncio.create_task(service._read_next(service._Import(PLATFORM_ID, lines()), NOW))
    await is_reading.wait()
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
