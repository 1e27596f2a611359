"""Refusals that repeat themselves: one line for the first, and one line a minute for the others."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from structlog.typing import FilteringBoundLogger

SECONDS_BETWEEN_LINES = 60.0
# Strangers can invent callers; beyond this number, refusals count as those of one caller.
MAX_CALLERS = 1_000
_OF_ONE_REQUEST = ("request_id", "ms")
_KIND = ("method", "route", "path", "status", "reason", "cause")


@dataclass(slots=True)
class _Refusal:
    """The event of the first refusal, and the number of others since the latest line."""

    event: dict[str, Any]
    count: int = 0


class RepeatedRefusals:
    """Logs refusals of the same kind and caller as one event with a count."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._refusals: dict[Hashable, _Refusal] = {}
        self._timer: asyncio.TimerHandle | None = None

    def note(self, event: dict[str, Any]) -> None:
        """Log the event of a refused request, or count it."""
        kind = tuple(event.get(name) for name in _KIND)
        # A caller that was not authenticated can name any credential.
        is_known = event["status"] != HTTPStatus.UNAUTHORIZED and event["credential"] is not None
        key: Hashable = (*kind, event["credential"] if is_known else event["address"])
        if key not in self._refusals and len(self._refusals) >= MAX_CALLERS:
            key = tuple(event[name] for name in ("route", "status", "reason"))
        refusal = self._refusals.get(key)
        if refusal is not None:
            refusal.count += 1
            return
        self._refusals[key] = _Refusal(event)
        self._log.info("request", **event)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SECONDS_BETWEEN_LINES, self.summarize)

    def summarize(self) -> None:
        """Log the refusals since the latest lines, and forget those that have ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._refusals = {key: refusal for key, refusal in self._refusals.items() if refusal.count}
        for refusal in self._refusals.values():
            event = {name: value for name, value in refusal.event.items() if name not in _OF_ONE_REQUEST}
            self._log.info("repeated requests", count=refusal.count, **event)
            refusal.count = 0
        if self._refusals:
            self._timer = asyncio.get_running_loop().call_later(SECONDS_BETWEEN_LINES, self.summarize)
