"""Getting a database to work with: an outside one by its address, or the embedded one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tessera.kit import embedded
from tessera.settings import Settings

DATABASE = "tessera"
SUPERUSER = "postgres"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the application logs in, and where its owner does to migrate."""

    application: str
    owner: str


@contextmanager
def database(settings: Settings) -> Iterator[Addresses]:
    """The database of these settings, which runs for as long as the context; raises EmbeddedPostgresError."""
    if settings.database_url:
        yield Addresses(settings.database_url, settings.owner_database_url or settings.database_url)
        return
    server = embedded.start(settings.data_dir)
    try:
        create_database(server, DATABASE)
        yield Addresses(
            application=server.url(user="tessera_app", database=DATABASE),
            owner=server.url(user=SUPERUSER, database=DATABASE),
        )
    finally:
        server.stop()


def create_database(server: embedded.EmbeddedPostgres, name: str) -> None:
    """Create the database where it is missing; several processes may try at once."""
    with psycopg.connect(
        host=str(server.socket_directory), user=SUPERUSER, dbname="postgres", autocommit=True
    ) as admin:
        if admin.execute("select from pg_database where datname = %s", [name]).fetchone():
            return
        try:
            admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return
