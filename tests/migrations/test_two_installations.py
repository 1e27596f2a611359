"""Two installations on one server, and the logins of an administrator who gives no right to create roles."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import make_url
from tests.support import guard
from tests.support.commands import tessera

from tessera import schema
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.connections import conninfo
from tessera.kit.db.database import Database
from tessera.kit.db.roles import with_role
from tessera.kit.embedded_postgres import server as embedded

SUPERUSER = "postgres"


class Installation(NamedTuple):
    """The settings of an installation."""

    settings: dict[str, str]

    def run(self, *arguments: str) -> str:
        """The output of a command, which must succeed."""
        result = tessera(*arguments, **self.settings)
        assert result.returncode == 0, result.stderr
        return result.stdout


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The superuser's URL on a server without roles, which requires passwords."""
    with guard.place() as directory:
        postgres = embedded.start(directory / "server", settings={"fsync": "off"})
        url = postgres.url(user=SUPERUSER, database="postgres")
        with connect(url) as admin:
            (path,) = admin.execute("show hba_file").fetchone() or ("",)
            Path(path).write_text("local all postgres trust\nlocal all all scram-sha-256\n")
            admin.execute("select pg_reload_conf()")
        yield url
        postgres.stop()


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(conninfo(url), autocommit=True)


def at(url: str, user: str, database: str, password: str | None = None) -> str:
    address = make_url(url).set(drivername="postgresql", username=user, password=password, database=database)
    return address.render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def north(server: str) -> Installation:
    """An installation with other names of roles, whose migrations are those of a superuser."""
    with connect(server) as admin:
        admin.execute("create database north")
    settings = {
        "TESSERA_DATABASE_URL": at(server, "north_app", "north", "north-password"),
        "TESSERA_OWNER_DATABASE_URL": at(server, SUPERUSER, "north"),
        "TESSERA_APPLICATION_ROLE": "north_app",
        "TESSERA_OWNER_ROLE": "north_owner",
    }
    installation = Installation(settings)
    installation.run("migrate")
    return installation


@pytest.fixture(scope="module")
def south(server: str) -> Installation:
    """An installation whose logins an administrator has created by the printed script; none may create roles."""
    settings = {
        "TESSERA_DATABASE_URL": at(server, "south_app", "south", "south-password"),
        "TESSERA_OWNER_DATABASE_URL": at(server, "south_migrations", "south", "migrations-password"),
        "TESSERA_APPLICATION_ROLE": "south_app",
        "TESSERA_OWNER_ROLE": "south_owner",
    }
    installation = Installation(settings)
    with connect(server) as admin:
        admin.execute("create database south")
    with connect(at(server, SUPERUSER, "south")) as admin:
        for _ in range(2):  # it can be run again
            admin.execute(installation.run("migrate", "--print-roles"))
        admin.execute("alter role south_app password 'south-password'")
        admin.execute("alter role south_migrations password 'migrations-password'")
        powerful = admin.execute("select from pg_roles where rolname like 'south%' and (rolsuper or rolcreaterole)")
        assert powerful.fetchall() == []
    installation.run("migrate")
    return installation


def test_installations_on_one_server_have_roles_of_their_own_that_cannot_meet(
    server: str, north: Installation, south: Installation
) -> None:
    names = {"north": north.settings["TESSERA_DATABASE_URL"], "south": south.settings["TESSERA_DATABASE_URL"]}
    for name, other in (("north", "south"), ("south", "north")):
        elsewhere = make_url(names[name]).set(database=other).render_as_string(hide_password=False)
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connect(elsewhere)
    with connect(server) as admin:
        assert admin.execute("select from pg_roles where rolname like 'tessera%'").fetchall() == []
        shared = "select from pg_auth_members where member::regrole::text like %s and roleid::regrole::text like %s"
        assert admin.execute(shared, ["north%", "south%"]).fetchall() == []


@pytest.mark.parametrize("name", ["north", "south"])
def test_an_installation_with_other_names_works(request: pytest.FixtureRequest, name: str) -> None:
    installation: Installation = request.getfixturevalue(name)
    installation.run("organization", "create", "Acme")
    assert "Acme" in installation.run("organization", "list")
    assert f"ok       role: {name}_app\n" in tessera("doctor", **installation.settings).stdout
    with connect(installation.settings["TESSERA_DATABASE_URL"]) as connection:
        assert connection.execute("select count(*) from organizations").fetchone() == (0,)  # row-level security
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("create table public.mine ()")
        settings = "select setconfig from pg_db_role_setting where setrole = current_user::regrole"
        assert "enable_seqscan=off" in (connection.execute(settings).fetchone() or ([],))[0]


@pytest.mark.parametrize("name", ["north", "south"])
def test_the_sql_for_several_nodes_names_the_roles_of_the_installation(
    request: pytest.FixtureRequest, name: str
) -> None:
    installation: Installation = request.getfixturevalue(name)
    owner = with_role(installation.settings["TESSERA_OWNER_DATABASE_URL"], f"{name}_owner")
    application = with_role(installation.settings["TESSERA_DATABASE_URL"], f"{name}_app")
    with schema.with_roles(owner, application) as connection:
        connection.exec_driver_sql("set role tessera_owner")
        for script in (*schema.distribution_scripts("first"), *schema.distribution_scripts("always")):
            connection.exec_driver_sql(script)
        right = f"select has_table_privilege('{name}_app', 'audit_entries', 'delete')"
        assert connection.exec_driver_sql(right).scalar_one()
        connection.rollback()


def test_a_backup_is_restored_only_with_the_names_of_its_roles(
    north: Installation, south: Installation, tmp_path: Path
) -> None:
    file = str(tmp_path / "backup")
    north.run("backup", file, "--verify")
    result = tessera("restore", file, **south.settings)
    assert result.returncode == 1
    assert "the backup needs the roles north_owner and north_app" in result.stderr


def test_other_names_for_an_existing_schema_are_refused(north: Installation) -> None:
    result = tessera("migrate", **north.settings | {"TESSERA_OWNER_ROLE": "another"})
    assert (result.returncode, result.stdout) == (1, "")
    assert "the schema belongs to the role north_owner, not to another" in result.stderr


@pytest.mark.parametrize("options", [(), ("--owner",)])
def test_a_rotated_password_replaces_the_old_one_without_further_rights(
    south: Installation, options: tuple[str, ...]
) -> None:
    name = "TESSERA_OWNER_DATABASE_URL" if options else "TESSERA_DATABASE_URL"
    old = south.settings[name]
    with connect(old) as before:
        printed, _, url = south.run("database", "rotate-password", *options).strip().partition("=")
        assert printed == name
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(old)
        assert before.execute("select 1").fetchone() == (1,)  # open connections go on
    south.settings[name] = url
    south.run("migrate")
    database = Database(south.settings["TESSERA_DATABASE_URL"] + "&tessera_role=south_app", pool_size=1)

    async def serve() -> None:
        async with database.unit_of_work(PLATFORM_ID) as work:
            assert (await work.connection.exec_driver_sql("select current_user")).one() == ("south_app",)
        await database.close()

    asyncio.run(serve())
    assert schema.latest_revision() in south.run("migrate")
