"""The command that replaces the passwords of logins to the database."""

from typing import Annotated

import typer

from tessera.cli.options.expansion import CommandGroup
from tessera.cli.startup import CannotStart, start
from tessera.kit.db import role_creation

commands = CommandGroup()


@commands.callback()
def _group() -> None:
    pass


@commands.command("rotate-password")
def rotate_password(
    *,
    of_owner: Annotated[
        bool, typer.Option("--owner", help="Replace the password of the login in TESSERA_OWNER_DATABASE_URL instead.")
    ] = False,
) -> None:
    """Give the login of the database a new password.

    The command prints the new TESSERA_DATABASE_URL, which is shown once. Open connections go on. Change the
    setting, and restart the processes one by one: they need the new password for new connections.
    """
    settings = start()
    name = "TESSERA_OWNER_DATABASE_URL" if of_owner else "TESSERA_DATABASE_URL"
    url = settings.owner_database_url if of_owner else settings.database_url
    if url is None:
        raise CannotStart(f"{name} is not set; the embedded Postgres has no passwords")
    new_url = role_creation.with_new_password(url)
    try:
        role_creation.replace_password(url, new_url)
    except BaseException:
        # The server may have replaced it although its answer did not arrive.
        typer.echo(f"The password may have been replaced: try this URL as well.\n{name}={new_url}", err=True)
        raise
    typer.echo(f"{name}={new_url}")  # before anything else can fail, because it is shown once
    role_creation.require_login(new_url)
