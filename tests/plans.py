"""How Postgres goes about a statement of ours, with what it reads for it."""

import re
from typing import Any

import psycopg
from psycopg import sql

from tessera.kit.database import SESSION
from tests.recording import Statement

# For these values alone, and for whatever values come: what is asked often is planned the second way.
MODES = ("force_custom_plan", "force_generic_plan")


def explained(connection: psycopg.Connection[Any], begin: Statement, page: Statement, *, mode: str) -> dict[str, Any]:
    """The plan of a page that the application asked for, in a transaction that begins as its own, with what it read."""
    order = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", page.text)))
    text = re.sub(r"%\((\w+)\)s", lambda found: f"${order.index(found[1]) + 1}", page.text)
    values = ", ".join(sql.Literal(page.parameters[name]).as_string(connection) for name in order)
    connection.execute(SESSION)
    try:
        connection.execute(begin.text)
        connection.execute(f"set local plan_cache_mode = {mode}")
        connection.execute(f"prepare asked as {text}")
        row = connection.execute(f"explain (analyze, timing off, format json) execute asked({values})").fetchone()
        assert row is not None
        plan: dict[str, Any] = row[0][0]["Plan"]
        return plan
    finally:
        connection.execute("rollback")
        connection.execute("deallocate all")
