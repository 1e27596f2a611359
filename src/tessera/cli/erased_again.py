"""The result of a list of erasures in a restored database."""

import typer

from tessera.kit.control_characters import visible
from tessera.persons.erasures.lists import Applied


def show_erased_again(applied: Applied) -> None:
    """Print the number of persons and what remains; exits with status 1 if anything does."""
    typer.echo(f"Persons erased again: {applied.count:,}.")
    for line in applied.remaining:
        typer.echo(visible(line), err=True)
    if applied.remaining:
        typer.echo("Some persons of the list are not erased: see the lines above.", err=True)
        raise typer.Exit(1)
