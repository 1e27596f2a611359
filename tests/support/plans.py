"""Query plans of Postgres, with the rows and blocks that they read."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from tests.support.recording import Statement

from tessera.kit.db.engine import SESSION

# The plan for the given values, and the generic plan, which Postgres may choose for a prepared statement.
MODES = ("force_custom_plan", "force_generic_plan")


def explain(connection: psycopg.Connection[Any], begin: Statement, page: Statement, *, mode: str) -> dict[str, Any]:
    """The executed plan of a page, in a transaction that begins like the application's."""
    order = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", page.text)))
    text = re.sub(r"%\((\w+)\)s", lambda match: f"${order.index(match[1]) + 1}", page.text)
    values = ", ".join(sql.Literal(page.parameters[name]).as_string(connection) for name in order)
    connection.execute(SESSION)
    try:
        connection.execute(begin.text)
        connection.execute(f"set local plan_cache_mode = {mode}")
        connection.execute(f"prepare page as {text}")
        row = connection.execute(
            f"explain (analyze, buffers, timing off, format json) execute page({values})"
        ).fetchone()
        assert row is not None
        plan: dict[str, Any] = row[0][0]["Plan"]
        return plan
    finally:
        connection.execute("rollback")
        connection.execute("deallocate all")


@contextmanager
def without_indexes(connection: psycopg.Connection[Any], *tables: str) -> Iterator[None]:
    """Fill tables in the block without their indexes, which are built afterwards; unique ones stay.

    That takes half of the processor time. The database must be one that no other test uses at the same time.
    """
    indexes = connection.execute(
        "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index"
        " where indrelid = any (%s::regclass[]) and not indisunique",
        [list(tables)],
    ).fetchall()
    for name, _ in indexes:
        connection.execute(sql.SQL("drop index {}").format(sql.Identifier(name)))
    yield
    for _, definition in indexes:
        connection.execute(definition)


def vacuum(connection: psycopg.Connection[Any], *tables: str) -> None:
    """Analyze the tables, and mark all their pages as visible to all transactions.

    An index-only scan reads no table only for such pages. A concurrent snapshot, such as that of autovacuum, prevents
    the mark, so this repeats until all pages have it. Without the cleanup of indexes, VACUUM would keep a few dead
    rows, and their pages would not get the mark.
    """
    unmarked_pages = "select relpages - relallvisible from pg_class where oid = %s::regclass"
    for table in tables:
        end = time.monotonic() + 60
        while True:
            connection.execute(sql.SQL("vacuum (analyze, index_cleanup on) {}").format(sql.Identifier(table)))
            if connection.execute(unmarked_pages, [table]).fetchone() == (0,):
                break
            assert time.monotonic() < end, f"not all pages of {table} were visible within 60 s"


@contextmanager
def taken_for_empty(connection: psycopg.Connection[Any], *tables: str) -> Iterator[None]:
    """Let the planner take tables for empty in the block, however many rows they have.

    So it does after they were analyzed while the transaction that filled them was still open, until the next ANALYZE.
    """
    connection.execute("delete from pg_statistic where starelid = any (%s::regclass[])", [list(tables)])
    for table in tables:
        connection.execute(sql.SQL("alter table {} set (autovacuum_enabled = false)").format(sql.Identifier(table)))
    connection.execute("update pg_class set reltuples = 0 where oid = any (%s::regclass[])", [list(tables)])
    try:
        yield
    finally:
        for table in tables:
            connection.execute(sql.SQL("alter table {} reset (autovacuum_enabled)").format(sql.Identifier(table)))
        vacuum(connection, *tables)


def plan_nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The plan's root and all nodes below it."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from plan_nodes(child)


def rows_read(plan: dict[str, Any]) -> int:
    """The number of rows that scans of tables and indexes returned or filtered out."""
    return sum(
        round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in plan_nodes(plan)
        if "Scan" in node["Node Type"] and node["Node Type"] not in ("CTE Scan", "Subquery Scan", "Bitmap Heap Scan")
    )


def buffers_read(plan: dict[str, Any]) -> int:
    """The number of 8 KiB blocks that the plan accessed, cached or not; repeated accesses count again."""
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def blocks_for(rows: int) -> int:
    """The number of blocks that a plan may access for this number of rows: four for each, and 20 for searches."""
    return 4 * rows + 20


def rows_touched(connection: psycopg.Connection[Any], begin: Statement, statement: Statement, *, mode: str) -> int:
    """The number of rows and index entries that a statement reads, including those that its functions read."""
    count = """
        select sum(pg_stat_get_xact_tuples_returned(c.oid)) from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'i')
    """
    connection.execute(SESSION)
    try:
        connection.execute(begin.text)
        connection.execute(f"set local plan_cache_mode = {mode}")
        counts = []
        for text, parameters in ((count, None), (statement.text, statement.parameters), (count, None)):
            cursor = connection.execute(text, parameters)
            counts.append(cursor.fetchall() if cursor.description else [])
        return int(counts[2][0][0]) - int(counts[0][0][0])
    finally:
        connection.execute("rollback")


def with_replaced_rows(rows: int) -> int:
    """The most that `rows_touched` may be where the statement needs this number of rows and index entries.

    The planner reads a few more, and an index keeps entries of replaced rows for a while: each update that a test rolls
    back leaves one. A scan of an organization reads 100,000 or more.
    """
    return 10 * rows + 60
