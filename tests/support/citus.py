"""Databases on the nodes of the Citus at TESSERA_TEST_CITUS_URL, whose coordinator the address names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, make_url

from tessera import schema
from tessera.provision import Addresses

# Commands refuse unknown names that begin with TESSERA_, so that the other processes of a run inherit another name.
SETTING, INHERITED = "TESSERA_TEST_CITUS_URL", "CITUS_OF_TESTS"
if SETTING in os.environ:
    os.environ[INHERITED] = os.environ.pop(SETTING)
COORDINATOR = os.environ.get(INHERITED)
# Roles and their settings belong to all databases of a node, so that one process at a time prepares a database.
_LOCK = "select pg_advisory_lock(5550124)"
_NODES = "select nodename, nodeport from pg_dist_node where groupid > 0 and isactive order by 2"

NEEDS_ITS_ORGANIZATION = "Citus finds no node for a statement that names no organization"


def plain_postgres_only(reason: str) -> pytest.MarkDecorator:
    """A mark for a test of what cannot exist on Citus."""
    return pytest.mark.skipif(bool(COORDINATOR), reason=f"not on Citus: {reason}")


def on_all_nodes(count: str) -> str:
    """The query of a number, on Citus of the sum over all nodes; locks, for example, are on the nodes of the rows."""
    total = f"select coalesce(sum(result::int), 0) from run_command_on_all_nodes($node${count}$node$)"
    return total if COORDINATOR else count


def recover(superuser: psycopg.Connection) -> None:
    """End what killed transactions have prepared, as Citus does each minute; until then their rows stay locked."""
    if COORDINATOR:
        superuser.execute("select recover_prepared_transactions()")


@contextmanager
def migrated_database(addresses: Addresses) -> Iterator[None]:
    """A new database on every node, with all tables distributed, dropped at the end."""
    owner = make_url(addresses.owner)
    seed = make_url(COORDINATOR or "")
    with _connected(seed) as connection:
        workers = connection.execute(_NODES).fetchall()
        nodes = [owner, *(owner.set(host=host, port=port) for host, port in workers)]
        connection.execute(_LOCK)
        for node in nodes:
            _create(node)
        with _connected(owner) as coordinator:
            coordinator.execute("select citus_set_coordinator_host(%s, %s)", [owner.host, owner.port or 5432])
            for host, port in workers:
                coordinator.execute("select citus_add_node(%s, %s)", [host, port])
        schema.migrate(addresses.owner, addresses.application)
        schema.distribute(addresses.owner, addresses.application)
        # As `tessera migrate` does for its roles: tests pin organizations in sessions of the superuser, too.
        setting = "alter role {} in database {} set citus.propagate_set_commands = 'local'"
        names = (sql.Identifier(name or "") for name in (owner.username, owner.database))
        connection.execute(sql.SQL(setting).format(*names))
    yield
    for node in nodes:
        with _connected(node.set(database="postgres")) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(owner.database or "")))


def _create(url: URL) -> None:
    with _connected(url.set(database="postgres")) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(url.database or "")))
    with _connected(url) as connection:
        connection.execute("create extension citus")


def _connected(url: URL) -> psycopg.Connection:
    login = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(login, autocommit=True)
