"""Databases on the nodes of the Citus at TESSERA_TEST_CITUS_URL, whose coordinator the address names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import URL

COORDINATOR = os.environ.get("TESSERA_TEST_CITUS_URL")
_NODES = "select nodename, nodeport from pg_dist_node where groupid > 0 and isactive order by 2"


@contextmanager
def database_on_all_nodes(name: str, coordinator: URL) -> Iterator[None]:
    """A new database with the extension on every node, dropped at the end."""
    with _connected(coordinator) as connection:
        workers = connection.execute(_NODES).fetchall()
    nodes = [coordinator, *(coordinator.set(host=host, port=port) for host, port in workers)]
    for node in nodes:
        with _connected(node) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        with _connected(node.set(database=name)) as connection:
            connection.execute("create extension citus")
    with _connected(coordinator.set(database=name)) as connection:
        connection.execute("select citus_set_coordinator_host(%s, %s)", [coordinator.host, coordinator.port or 5432])
        for host, port in workers:
            connection.execute("select citus_add_node(%s, %s)", [host, port])
    yield
    for node in nodes:
        with _connected(node) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _connected(url: URL) -> psycopg.Connection:
    login = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(login, autocommit=True)
