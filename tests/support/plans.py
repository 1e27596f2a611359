"""Query plans of Postgres, with the rows and blocks that they read."""

import re
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql
from tests.support.recording import Statement

from tessera.kit.db.engine import SESSION

# The plan for these values, and the generic one, which Postgres may choose for frequent statements.
MODES = ("force_custom_plan", "force_generic_plan")


def explain(connection: psycopg.Connection[Any], begin: Statement, page: Statement, *, mode: str) -> dict[str, Any]:
    """The executed plan of a page, in a transaction that begins like the application's."""
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
    """Analyze the tables, and mark all their pages as visible to all transactions.

    Only then an index-only scan reads no table. A concurrent snapshot, such as autovacuum's, keeps pages from being
    marked, so this repeats until all are. Indexes are cleaned too: otherwise VACUUM keeps a few dead rows, and their
    pages unmarked.
    """
    seen = "select relpages - relallvisible from pg_class where oid = %s::regclass"
    for table in tables:
        end = time.monotonic() + 60
        while True:  # until the deadline below
            connection.execute(sql.SQL("vacuum (analyze, index_cleanup on) {}").format(sql.Identifier(table)))
            if connection.execute(seen, [table]).fetchone() == (0,):
                break
            assert time.monotonic() < end, f"not within 60 s: all pages of {table} are visible"


def plan_nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The plan's root and all nodes below it."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from plan_nodes(part)


def rows_read(plan: dict[str, Any]) -> int:
    """The number of rows that scans of tables and indexes returned or filtered out."""
    return sum(
        round((part["Actual Rows"] + part.get("Rows Removed by Filter", 0)) * part["Actual Loops"])
        for part in plan_nodes(plan)
        if "Scan" in part["Node Type"] and part["Node Type"] not in ("CTE Scan", "Subquery Scan", "Bitmap Heap Scan")
    )


def buffers_read(plan: dict[str, Any]) -> int:
    """The number of 8 KiB blocks that the plan accessed, cached or not; repeated accesses count again."""
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def blocks_for(rows: int) -> int:
    """The number of blocks that a plan of so many rows may access: four for each, and some for empty searches."""
    return 4 * rows + 20
