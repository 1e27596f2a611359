"""Commands on the demonstration data."""

import shlex

import typer

from tessera import settings as configuration
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.startup import CannotStart, start
from tessera.demo import credentials
from tessera.demo.credentials import FILE_NAME

commands = CommandGroup()


@commands.command("load")
def load_demo() -> None:
    """Load the demonstration organizations, unless they exist.

    Their credentials are written to demo.json in TESSERA_DATA_DIR.
    """
    from tessera.cli.demo_data import load_all, with_demo_key  # noqa: PLC0415 - `demo env` needs none of its imports

    settings = start(settings=with_demo_key(configuration.load()))
    load_all(settings)
    typer.echo(f"The credentials are in {settings.data_dir / FILE_NAME}.")


@commands.command("env")
def show_environment() -> None:
    """Print the demonstration's credentials as variables.

    Use them with `eval "$(tessera demo env)"`. The variables are those of the first organization in demo.json.
    """
    path = configuration.load().data_dir / FILE_NAME
    demo = credentials.read(path)
    if demo is None:
        raise CannotStart(f"there is no {path}; run `tessera serve --demo` first, with the same TESSERA_DATA_DIR")
    for name, value in demo.variables().items():
        typer.echo(f"export {name}={shlex.quote(value)}")
