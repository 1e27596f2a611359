"""How Postgres goes about a statement of ours, with what it reads for it."""

import re
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql
from tests.support.recording import Statement

from tessera.kit.db.engine import SESSION

# For these values alone, and for whatever values come: what is asked often is planned the second way.
MODES = ("force_custom_plan", "force_generic_plan")


def explain(connection: psycopg.Connection[Any], begin: Statement, page: Statement, *, mode: str) -> dict[str, Any]:
    """The plan of a page that the application asked for, in a transaction that begins as its own, with what it read."""
    order = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", page.text)))
    text = re.sub(r"%\((\w+)\)s", lambda found: f"${order.index(found[1]) + 1}", page.text)
    values = ", ".join(sql.Literal(page.parameters[name]).as_string(connection) for name in order)
    connection.execute(SESSION)
    try:
        connection.execute(begin.text)
        connection.execute(f"set local plan_cache_mode = {mode}")
        connection.execute(f"prepare asked as {text}")
        row = connection.execute(
            f"explain (analyze, buffers, timing off, format json) execute asked({values})"
        ).fetchone()
        assert row is not None
        plan: dict[str, Any] = row[0][0]["Plan"]
        return plan
    finally:
        connection.execute("rollback")
        connection.execute("deallocate all")


def vacuum(connection: psycopg.Connection[Any], *tables: str) -> None:
    """Have the tables counted, and each of their pages marked as one that all transactions see.

    Only then an index answers without a look at the table. Whoever looks at anything just now, as autovacuum may, keeps
    pages from being marked, so it is done until all are; with the indexes, whose entries of a few dead rows it would
    leave where they are, and those pages with them.
    """
    seen = "select relpages - relallvisible from pg_class where oid = %s::regclass"
    for table in tables:
        end = time.monotonic() + 60
        while True:
            connection.execute(sql.SQL("vacuum (analyze, index_cleanup on) {}").format(sql.Identifier(table)))
            if connection.execute(seen, [table]).fetchone() == (0,):
                break
            assert time.monotonic() < end, table


def plan_nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The plan and everything below it."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from plan_nodes(part)


def rows_read(plan: dict[str, Any]) -> int:
    """Rows that scans of tables and indexes gave or threw away."""
    return sum(
        round((part["Actual Rows"] + part.get("Rows Removed by Filter", 0)) * part["Actual Loops"])
        for part in plan_nodes(plan)
        if "Scan" in part["Node Type"] and part["Node Type"] not in ("CTE Scan", "Subquery Scan", "Bitmap Heap Scan")
    )


def buffers_read(plan: dict[str, Any]) -> int:
    """Blocks of 8 KiB that the whole plan looked at, in memory or not; one that is looked at again counts again."""
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def blocks_for(rows: int) -> int:
    """How many blocks a plan may look at that reads so many rows: four each, and the ways to where nothing is."""
    return 4 * rows + 20
