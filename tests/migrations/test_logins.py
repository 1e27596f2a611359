"""An external Postgres with passwords: one login for migrations, another one for the application."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url
from tests.support import guard

from tessera import schema
from tessera.kit.db.database import Database
from tessera.kit.embedded_postgres import server as embedded
from tessera.kit.errors import DatabaseUnavailable
from tessera.kit.identifiers import new_id
from tessera.kit.jobs import create_jobs

PASSWORD = "a password: with 'quotes', @ and /"


@pytest.fixture(scope="module")
def strict() -> Iterator[str]:
    """The URL of a managed login on a separate server, which requires passwords and has no roles yet."""
    with guard.place() as directory:
        server = embedded.start(directory / "a place with spaces", settings={"fsync": "off"})
        url = server.url(user="postgres", database="postgres")
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as admin:
            admin.execute(sql.SQL("create role managed login createrole createdb password {}").format(PASSWORD))
            admin.execute("create database shop owner managed")
            (path,) = admin.execute("show hba_file").fetchone() or ("",)
            Path(path).write_text("local all postgres trust\nlocal all all scram-sha-256\n")
            admin.execute("select pg_reload_conf()")
        yield as_login(url, "managed", PASSWORD)
        server.stop()


def as_login(url: str, user: str, password: str) -> str:
    address = make_url(url).set(username=user, password=password, database="shop")
    return address.render_as_string(hide_password=False)


async def test_the_application_gets_a_login_with_the_password_of_its_url(strict: str) -> None:
    application = as_login(strict, "tessera_app", f"{PASSWORD} too")
    assert schema.migrate(strict, application) == schema.latest_revision()
    database = Database(application)
    try:
        async with database.unit_of_work(new_id()) as work:
            users = await work.connection.exec_driver_sql("select current_user, session_user")
            assert users.one() == ("tessera_app", "tessera_app")
    finally:
        await database.close()
    async with create_jobs(application).open_async() as jobs:
        assert await jobs.connector.execute_query_one_async("select session_user as role") == {"role": "tessera_app"}


async def test_a_wrong_password_makes_the_database_unavailable(strict: str) -> None:
    schema.migrate(strict, as_login(strict, "tessera_app", f"{PASSWORD} too"))
    wrong = as_login(strict, "tessera_app", "wrong")
    database = Database(wrong)
    try:
        with pytest.raises(DatabaseUnavailable):
            await database.schema_version()
    finally:
        await database.close()
    with pytest.raises(schema.CannotMigrate, match="password authentication failed"):
        schema.migrate(wrong, wrong)
