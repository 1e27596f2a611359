"""The lines of the log in a terminal, where people read them."""

import pytest

from tessera.kit.logging import shorten

EVENT = {"timestamp": "12:00:00", "level": "info", "logger": "tessera.request"}


@pytest.mark.parametrize(
    ("request_fields", "line"),
    [
        ({"route": "/promo-codes", "status": 200, "ms": 3.6}, "GET /promo-codes 200 4 ms"),
        ({"route": None, "path": "/foo%1B%5B2J", "status": 404, "ms": 1.0}, "GET /foo%1B%5B2J 404 1 ms"),
    ],
)
def test_a_request_is_one_short_line(request_fields: dict[str, object], line: str) -> None:
    event = {**EVENT, "event": "request", "method": "GET", "organization": None, "request_id": "x", **request_fields}
    assert shorten(None, "info", event) == {"timestamp": "12:00:00", "level": "info", "event": line}


def test_any_other_event_keeps_its_values() -> None:
    assert shorten(None, "info", {**EVENT, "event": "database", "port": 5432}) == {
        "timestamp": "12:00:00",
        "level": "info",
        "event": "database",
        "port": 5432,
    }
