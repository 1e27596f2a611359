"""The command that checks an installation."""

from collections.abc import Iterator

import typer

from tessera import provision, schema
from tessera import settings as configuration
from tessera.cli.checks.database import check_schema, check_server
from tessera.cli.checks.machine import check_machine
from tessera.cli.checks.outcomes import Level, Outcome
from tessera.cli.checks.work import check_work
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import AsJson
from tessera.cli.output import fields_of, show_rows
from tessera.cli.startup import CannotStart, require_existing_database, start
from tessera.kit.control_characters import visible
from tessera.kit.db import backlog, diagnosis
from tessera.kit.db.connections import connected
from tessera.kit.embedded_postgres.server import EmbeddedPostgresError
from tessera.kit.errors import DatabaseUnavailable
from tessera.settings import Settings

SECONDS = 5

commands = CommandGroup()


@commands.command("doctor")
def doctor(*, as_json: AsJson = False) -> None:
    """Check the installation, and say what to do.

    The checks are of settings, files, database, schema and workers. Exits with status 1 if a check fails. A
    warning does not count. The command changes nothing and takes at most a few seconds, even if the database does
    not answer.
    """
    outcomes = list(_check(start(settings=configuration.with_stored_key(configuration.load()))))
    failures = sum(outcome.level is Level.FAILURE for outcome in outcomes)
    if as_json:
        rows = [fields_of(outcome, "check", "level", "finding", "remedy") for outcome in outcomes]
        show_rows(rows, as_json=True, if_none="")
    else:
        for outcome in outcomes:
            typer.echo(visible(f"{outcome.level:7}  {outcome.check}: {outcome.finding}"))
            if outcome.remedy:
                typer.echo(visible(f"         {outcome.remedy}"))
        typer.echo(f"{len(outcomes)} checks, {failures} failed.")
    if failures:
        raise typer.Exit(1)


def _check(settings: Settings) -> Iterator[Outcome]:
    yield from check_machine(settings)
    try:
        require_existing_database(settings)
        with provision.database(settings) as addresses:
            yield from _check_database(settings, addresses.application)
    except (CannotStart, EmbeddedPostgresError, DatabaseUnavailable) as error:
        remedy = "See the line `database unavailable` of the log, and the log of Postgres."
        yield Outcome("database", Level.FAILURE, str(error), remedy)


def _check_database(settings: Settings, url: str) -> Iterator[Outcome]:
    with connected(url, seconds=SECONDS) as connection:
        yield Outcome("database", Level.OK, "it answers")
        yield from check_server(diagnosis.read_server(connection), settings)
        found = diagnosis.read_schema(connection)
        yield from check_schema(found, code=schema.latest_revision())
        if found is not None and found.version.serves(schema.latest_revision()):
            yield from check_work(backlog.read(connection))
