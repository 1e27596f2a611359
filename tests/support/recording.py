"""The statements that an engine sends: recorded, or rewritten before the driver receives them."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import event
from tests.support import citus
from tests.support.tenant_clauses import unchecked

from tessera.kit.db.database import Database


class Statement(NamedTuple):
    """One statement as the driver receives it."""

    text: str
    parameters: Any


_SENT_TOGETHER = ("SET LOCAL", "SELECT hold_organization", "select set_config('transaction_timeout'")
# For statements that bypass SQLAlchemy. They go to the same records as its events, which preserves their order.
_rewrites: list[Callable[[str], str]] = []
_records: list[list[Statement]] = []
# The number of statements of each pipeline, for each record of pipelines.
_pipelines: list[list[int]] = []
_execute = psycopg.AsyncConnection.execute
_pipeline = psycopg.AsyncConnection.pipeline


class SentTogether:
    """The latest statement of each connection, with those that units of work send together with it on one Postgres.

    On Citus they are sent one after the other.
    """

    def __init__(self) -> None:
        self.latest: dict[Any, str] = {}

    def begins(self, connection: Any, text: str) -> bool:
        """Note a statement; returns whether one Postgres would get it at the beginning of a text."""
        before = self.latest.get(connection, "")
        is_part = before.startswith(("BEGIN", *_SENT_TOGETHER)) and text.lstrip().startswith(_SENT_TOGETHER)
        is_part = is_part and bool(citus.COORDINATOR)
        self.latest[connection] = f"{before}; {text}" if is_part else text
        return not is_part


async def _execute_observed(connection: Any, query: Any, params: Any = None, **options: Any) -> Any:
    if _pipelines and connection.pgconn.pipeline_status:
        _pipelines[-1][-1] += 1
    for rewrite in _rewrites:
        query = rewrite(query)
    for record in _records:
        record.append(Statement(query, params))
    return await _execute(connection, query, params, **options)


@asynccontextmanager
async def _pipeline_observed(connection: Any) -> AsyncIterator[psycopg.AsyncPipeline]:
    for record in _pipelines:
        record.append(0)
    async with _pipeline(connection) as pipeline:
        yield pipeline


psycopg.AsyncConnection.execute = _execute_observed  # type: ignore[assignment,method-assign]  # overloads
psycopg.AsyncConnection.pipeline = _pipeline_observed  # type: ignore[assignment,method-assign]


@contextmanager
def record_pipelines() -> Iterator[list[int]]:
    """The number of statements of each pipeline of the block, which is one round trip."""
    record: list[int] = []
    _pipelines.append(record)
    try:
        yield record
    finally:
        _pipelines.remove(record)


@contextmanager
def record_statements(database: Database) -> Iterator[list[Statement]]:
    """All statements of the block, in their order."""
    items: list[Statement] = []
    sent, last = SentTogether(), dict[Any, int]()

    def note(connection: Any, _: Any, text: str, parameters: Any, *__: Any) -> None:
        if not sent.begins(connection, text):
            items[last[connection]] = Statement(sent.latest[connection], parameters)
            return
        last[connection] = len(items)
        items.append(Statement(text, parameters))

    engine = database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    _records.append(items)
    try:
        yield items
    finally:
        _records[:] = [each for each in _records if each is not items]
        event.remove(engine, "before_cursor_execute", note)


@contextmanager
def rewrite_statements(database: Database, rewrite: Callable[[str], str]) -> Iterator[None]:
    """Apply `rewrite` to every statement of the block, which may then lack the condition on its organization."""

    def change(_: Any, __: Any, text: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        return rewrite(text), parameters

    engine = database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", change, retval=True)
    _rewrites.append(rewrite)
    try:
        with unchecked():
            yield
    finally:
        _rewrites.remove(rewrite)
        event.remove(engine, "before_cursor_execute", change)
