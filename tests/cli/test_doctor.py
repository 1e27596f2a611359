"""`tessera doctor`: what it finds in settings, files, database and queue, and that it always ends."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests.cli.conftest import Run
from tests.conftest import TOKEN_KEYS, TOKEN_KEYS_SETTING
from tests.support.descriptors import no_free_descriptor

from tessera.cli.checks.database import check_schema, check_server
from tessera.cli.checks.machine import check_machine
from tessera.cli.checks.outcomes import Level, Outcome
from tessera.cli.checks.work import check_work
from tessera.kit.db.backlog import Backlog, Jobs
from tessera.kit.db.connections import connected
from tessera.kit.db.diagnosis import Schema, Server
from tessera.kit.db.engine import DEAD_CLIENT, SETTINGS
from tessera.kit.db.schema_version import SchemaVersion
from tessera.kit.errors import DatabaseUnavailable
from tessera.provision import Addresses
from tessera.settings import Settings

SERVER = Server(
    major_version=18,
    role="tessera_app",
    bypasses_row_security=False,
    role_connections=-1,
    is_standby=False,
    max_connections=97,
    used_connections=5,
    is_durable=True,
    has_autovacuum=True,
    transaction_age=1000,
    cannot_archive=False,
    is_encrypted=False,
    is_local=True,
)
SCHEMA = Schema(
    role="tessera_app",
    open_tables=[],
    own_tables=[],
    invalid_indexes=[],
    role_settings=list(SETTINGS | DEAD_CLIENT),
    version=SchemaVersion("0020", "0014"),
)
BACKLOG = Backlog(
    jobs=[],
    live_workers=1,
    unsealed_entries=3,
    unsealed_seconds=4,
    stuck_purchases=0,
    stuck_seconds=0,
    clock_seconds=0.1,
)


def problems(outcomes: Iterator[Outcome]) -> list[str]:
    """The checks that are not ok; each has a remedy."""
    found = [outcome for outcome in outcomes if outcome.level is not Level.OK]
    assert all(outcome.remedy for outcome in found)
    return [outcome.check for outcome in found]


def test_a_sound_installation_has_no_problem(tmp_path: Path) -> None:
    settings = Settings(token_keys=TOKEN_KEYS, data_dir=tmp_path)
    assert problems(check_server(SERVER, settings)) == []
    assert problems(check_schema(SCHEMA, code="0020")) == []
    assert problems(check_work(BACKLOG)) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"major_version": 14}, "Postgres version"),
        ({"role": "postgres"}, "role"),
        ({"bypasses_row_security": True}, "role"),
        ({"is_standby": True}, "primary"),
        ({"is_durable": False}, "durability"),
        ({"has_autovacuum": False}, "autovacuum"),
        ({"transaction_age": 1_500_000_000}, "transaction ids"),
        ({"cannot_archive": True}, "archive"),
        ({"is_local": False}, "encryption"),
        ({"max_connections": 39}, "connection limit"),
        ({"role_connections": 39}, "connection limit"),
        ({"used_connections": 90}, "connections"),
    ],
)
def test_a_problem_of_the_server_is_found(change: dict[str, Any], problem: str) -> None:
    assert problems(check_server(replace(SERVER, **change), Settings())) == [problem]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"version": SchemaVersion("0019", "0014")}, "schema version"),
        ({"version": SchemaVersion("0022", "0021")}, "schema version"),
        ({"open_tables": ["vouchers"]}, "row-level security"),
        ({"own_tables": ["vouchers"]}, "owner of the tables"),
        ({"role_settings": ["lock_timeout"]}, "settings of the role"),
        ({"invalid_indexes": ["vouchers_index"]}, "indexes"),
    ],
)
def test_a_problem_of_the_schema_is_found(change: dict[str, Any], problem: str) -> None:
    assert problems(check_schema(replace(SCHEMA, **change), code="0020")) == [problem]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"clock_seconds": -6}, "clock"),
        ({"live_workers": 0}, "workers"),
        ({"jobs": [Jobs("waiting", "issue", 2, 400)]}, "waiting jobs"),
        ({"jobs": [Jobs("failed", "issue", 2, 400)]}, "failed jobs"),
        ({"unsealed_seconds": 700}, "audit log"),
        ({"stuck_purchases": 1}, "purchases"),
    ],
)
def test_a_problem_of_the_work_is_found(change: dict[str, Any], problem: str) -> None:
    assert problems(check_work(replace(BACKLOG, **change))) == [problem]


def test_problems_of_settings_and_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "token.key").write_text("another-key")
    (tmp_path / "token.key").chmod(0o644)
    others: dict[str, Any] = {"host": "0.0.0.0", "max_connections": 10_000_000, "data_dir": tmp_path}
    found = problems(check_machine(Settings(token_keys=TOKEN_KEYS, **others)))
    assert set(found) >= {"key of the data directory", "public URL", "files with secrets", "file descriptors"}
    assert "trusted proxies" in problems(check_machine(Settings(trusted_proxies="0.0.0.0/0", **others)))
    assert "token keys" in problems(check_machine(Settings(data_dir=tmp_path / "none")))


def test_the_database_of_the_tests_is_checked(
    run: Run, superuser: psycopg.Connection[Any], addresses: Addresses
) -> None:
    superuser.execute("create table tessera_open (organization_id uuid); create table tessera_own ()")
    superuser.execute("alter table tessera_open enable row level security, force row level security")
    superuser.execute("alter table tessera_own owner to tessera_app")
    try:
        result = run("doctor", "--json", **TOKEN_KEYS_SETTING)
        used = run("jobs", "list")
        migrated = run("migrate", TESSERA_OWNER_DATABASE_URL=addresses.owner)
    finally:
        superuser.execute("drop table tessera_open, tessera_own")
    outcomes = {each["check"]: each for each in json.loads(result.stdout)}
    assert result.returncode == 1
    for refusal in (used, migrated):
        assert refusal.returncode == 1
        assert "1 tables such as tessera_open have no row-level security, as after a restore" in refusal.stderr
    assert len(outcomes) >= 25
    assert outcomes["row-level security"]["finding"] == "tables without it: tessera_open"
    assert outcomes["owner of the tables"]["finding"] == "tables of tessera_app: tessera_own"
    fine = ("database", "role", "primary", "schema version", "settings of the role", "indexes", "clock")
    assert {outcomes[name]["level"] for name in fine} == {"ok"}


def test_a_database_that_is_not_migrated_is_named(run: Run, superuser: psycopg.Connection[Any]) -> None:
    superuser.execute("create database tessera_bare")
    try:
        bare = sql_url(superuser, "tessera_bare")
        result = run("doctor", TESSERA_DATABASE_URL=bare)
    finally:
        superuser.execute(sql.SQL("drop database tessera_bare with (force)"))
    assert "failure  schema version: never migrated\n         Run `tessera migrate`.\n" in result.stdout


def sql_url(connection: psycopg.Connection[Any], database: str) -> str:
    return f"postgresql://postgres@/{database}?host={connection.info.host}&port={connection.info.port}"


def test_a_database_that_does_not_answer_is_a_failure(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://tessera_app@127.0.0.1:{silent.getsockname()[1]}/x"
        result = run("doctor", TESSERA_DATABASE_URL=url)
    assert result.returncode == 1
    assert "failure  database: connection timeout expired" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("8 checks, ")


def test_a_connection_to_a_server_that_freezes_is_cut_also_without_a_free_descriptor(addresses: Addresses) -> None:
    with (
        pytest.raises(DatabaseUnavailable),
        connected(addresses.application, seconds=1) as connection,
        no_free_descriptor(connection.fileno()),
    ):
        connection.execute("set statement_timeout = 0; select pg_sleep(10)")
