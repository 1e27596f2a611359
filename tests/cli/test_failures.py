"""A command that cannot start prints one line and exits with status 1."""

import errno
import json
import os
import secrets
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url
from tests.support.commands import free_port, tessera

from tessera import schema
from tessera.cli import failures
from tessera.provision import Addresses


def failure(*arguments: str, **settings: str) -> str:
    """The line that a command prints when it cannot start."""
    result = tessera(*arguments, **settings)
    assert (result.returncode, result.stdout) == (1, ""), result.stderr
    return result.stderr


@pytest.fixture
def empty(addresses: Addresses, superuser: psycopg.Connection) -> Iterator[Addresses]:
    """A database that was never migrated."""
    name = f"tessera_empty_{uuid.uuid4().hex}"
    superuser.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    urls = (make_url(url).set(database=name) for url in (addresses.application, addresses.owner))
    yield Addresses(*(url.render_as_string(hide_password=False) for url in urls))
    superuser.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def test_a_busy_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = failure("serve", "--demo", PORT=str(port), TESSERA_DATA_DIR=str(tmp_path))
    assert line == f"tessera: cannot listen on 127.0.0.1:{port}: Address already in use; set PORT to another port\n"


def test_settings_that_say_nothing_useful_are_all_named() -> None:
    line = failure(
        "migrate",
        PORT="http",
        TESSERA_DATABASE_URL="mysql://root:secret-password@db/x",
        TESSERA_LOG_LEVEL="loud",
        TESSERA_TRUSTED_PROXIES="10.0.0.0/8, proxy",
    )
    assert line.splitlines() == [
        "tessera: TESSERA_DATABASE_URL: must be postgresql://user:password@host:port/database",
        "tessera: PORT: Input should be a valid integer, unable to parse string as an integer",
        "tessera: TESSERA_TRUSTED_PROXIES: 'proxy' does not appear to be an IPv4 or IPv6 network",
        "tessera: TESSERA_LOG_LEVEL: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'",
    ]


def test_an_unknown_setting_is_refused_with_the_nearest_known_one() -> None:
    line = failure("migrate", TESSERA_DATABSE_URL="postgresql://db/x", TESSERA_XYZZY="1", TESSERA_LOG_LEVEL="loud")
    assert line.splitlines() == [
        "tessera: TESSERA_DATABSE_URL is not a setting; did you mean TESSERA_DATABASE_URL?",
        "tessera: TESSERA_XYZZY is not a setting",
        "tessera: TESSERA_LOG_LEVEL: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'",
    ]


def test_signing_keys_of_another_server_are_noticed(tmp_path: Path) -> None:
    key = secrets.token_hex()
    (tmp_path / "token.key").write_text(key)
    command = ("token", "issue", "--organization", "x", "--email", "ada@example.com")
    settings = {"TESSERA_DATA_DIR": str(tmp_path)}
    noticed = failure(*command, **settings, TESSERA_TOKEN_KEYS=f"1:{secrets.token_hex()}").splitlines()[0]
    assert json.loads(noticed)["event"] == (
        "TESSERA_TOKEN_KEYS lacks the key of the data directory; tokens that it has signed are refused"
    )
    for keys in ({}, {"TESSERA_TOKEN_KEYS": f"1:{key}"}):
        assert failure(*command, **settings, **keys).startswith("tessera: there is no database")


def test_no_signing_key() -> None:
    assert failure("serve") == (
        "tessera: TESSERA_TOKEN_KEYS is not set: set it to kid:secret, such as 1:$(openssl rand -hex 32)\n"
    )


def test_all_settings_that_an_api_server_lacks_are_named_at_once(tmp_path: Path) -> None:
    assert failure("api", TESSERA_DATA_DIR=str(tmp_path)) == (
        "tessera: TESSERA_TOKEN_KEYS is not set: set it to kid:secret, such as 1:$(openssl rand -hex 32)\n"
        "tessera: TESSERA_DATABASE_URL is not set: set it, or use --embedded for the embedded Postgres"
        f" in TESSERA_DATA_DIR ({tmp_path})\n"
    )


@pytest.mark.parametrize("command", ["api", "worker", "migrate"])
def test_a_process_of_a_deployment_starts_no_database_unless_told_to(tmp_path: Path, command: str) -> None:
    settings = {"TESSERA_DATA_DIR": str(tmp_path / "data"), "TESSERA_TOKEN_KEYS": f"1:{secrets.token_hex()}"}
    assert failure(command, **settings) == (
        "tessera: TESSERA_DATABASE_URL is not set: set it, or use --embedded for the embedded Postgres"
        f" in TESSERA_DATA_DIR ({tmp_path / 'data'})\n"
    )
    settings["TESSERA_DATABASE_URL"] = "postgresql://127.0.0.1/x"
    assert failure(command, "--embedded", **settings) == (
        "tessera: TESSERA_DATABASE_URL is set, so --embedded cannot be used\n"
    )
    assert not (tmp_path / "data").exists()


def test_a_command_creates_no_database(tmp_path: Path) -> None:
    assert failure("organization", "list", TESSERA_DATA_DIR=str(tmp_path)) == (
        f"tessera: there is no database in {tmp_path}: set TESSERA_DATABASE_URL or TESSERA_DATA_DIR,"
        " or run `tessera serve` first\n"
    )


@pytest.mark.parametrize("command", [["migrate"], ["worker"], ["organization", "list"]])
def test_a_database_that_cannot_be_reached(command: list[str]) -> None:
    line = failure(*command, TESSERA_DATABASE_URL=f"postgresql://ada:secret-password@127.0.0.1:{free_port()}/x")
    assert line.startswith("tessera: cannot use the database: ")
    assert line.endswith("Connection refused\n")
    assert "secret-password" not in line


def test_a_login_that_does_not_exist(empty: Addresses) -> None:
    url = make_url(empty.owner).set(username="mallory").render_as_string(hide_password=False)
    assert failure("migrate", TESSERA_DATABASE_URL=url).endswith('role "mallory" does not exist\n')


@pytest.mark.parametrize("command", [["migrate"], ["organization", "list"]])
def test_an_address_with_an_option_that_there_is_not(command: list[str]) -> None:
    line = failure(*command, TESSERA_DATABASE_URL="postgresql://ada:secret-password@127.0.0.1/x?colour=blue")
    assert line == 'tessera: cannot use the database: invalid connection option "colour"\n'


def test_a_database_that_takes_no_writes(empty: Addresses) -> None:
    url = f"{empty.owner}{'&' if '?' in empty.owner else '?'}options=-c%20default_transaction_read_only%3Don"
    line = failure("migrate", TESSERA_DATABASE_URL=url)
    assert line.startswith("tessera: cannot use the database: cannot execute ")
    assert line.endswith(" in a read-only transaction\n")


def test_a_database_that_was_never_migrated(empty: Addresses) -> None:
    line = failure("organization", "list", TESSERA_DATABASE_URL=empty.application)
    assert line == "tessera: cannot use the database: it has not been migrated; run `tessera migrate`\n"


def test_a_login_that_must_not_migrate(empty: Addresses) -> None:
    if empty.application == empty.owner:
        pytest.skip("an outside Postgres was named by a login that may migrate")
    line = failure("migrate", TESSERA_DATABASE_URL=empty.application)
    assert line.startswith("tessera: cannot use the database: this login may not migrate (permission denied")
    assert line.endswith("; set TESSERA_OWNER_DATABASE_URL to a login that may\n")


def test_a_database_of_a_newer_release_or_of_an_older_one(empty: Addresses) -> None:
    schema.migrate(empty.owner, empty.application)
    with psycopg.connect(empty.owner.replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute("update alembic_version set version_num = '9999'")
        owner.execute("comment on table alembic_version is '9998'")
        newer = "it is at revision 9999, which a newer version of Tessera created; run that version"
        settings = {"TESSERA_DATABASE_URL": empty.application, "TESSERA_OWNER_DATABASE_URL": empty.owner}
        assert failure("migrate", **settings) == f"tessera: cannot use the database: {newer}\n"
        assert failure("worker", **settings) == f"tessera: cannot use the database: {newer}\n"
        owner.execute("update alembic_version set version_num = '0001'")
    older = f"it is at revision 0001, not {schema.latest_revision()}; run `tessera migrate`"
    assert failure("worker", **settings) == f"tessera: cannot use the database: {older}\n"


def test_arguments_that_are_not_text(addresses: Addresses) -> None:
    arguments = ["exam", "list", "--organization", os.fsdecode(b"A\xff")]
    line = failure(*arguments, TESSERA_DATABASE_URL=addresses.application)
    assert line == "tessera: an argument or a setting is not text in UTF-8: A\\udcff\n"


def test_a_file_without_access() -> None:
    # Root, who may run the tests, has access to every file.
    error = PermissionError(errno.EACCES, "Permission denied", "/data/token.key")
    assert failures.is_expected(error)
    assert list(failures.lines(error)) == ["Permission denied: /data/token.key"]


def test_the_only_organization_is_the_default(empty: Addresses) -> None:
    schema.migrate(empty.owner, empty.application)
    settings = {"TESSERA_DATABASE_URL": empty.application}
    none = failure("exam", "list", **settings)
    assert none == "tessera: There is no organization: create one with `tessera organization create`.\n"
    tessera("organization", "create", "Exam Board", **settings)
    assert tessera("exam", "list", **settings).stdout == "There are no store exams yet.\n"
    tessera("organization", "create", "Second Board", **settings)
    several = failure("exam", "list", **settings)
    assert several.startswith("tessera: There are several organizations: choose one with --organization or ")


def test_data_of_another_version_of_postgres(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("9.6\n")
    line = failure("migrate", "--embedded", TESSERA_DATA_DIR=str(tmp_path))
    assert line.startswith(f"tessera: data directory {tmp_path}/postgres belongs to Postgres 9.6, but only ")
    assert line.count("\n") == 1


@pytest.mark.parametrize("command", [["serve", "--demo"], ["migrate", "--embedded"]])
def test_a_data_directory_that_is_a_file_or_cannot_be_made(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "file").touch()
    for directory in (tmp_path / "file", Path("/proc/tessera")):
        line = failure(*command, PORT=str(free_port()), TESSERA_DATA_DIR=str(directory))
        assert line.startswith("tessera: cannot ")
        assert str(directory) in line
        assert line.count("\n") == 1
