"""The commands together, and the one place where their failures become one line."""

import sys

import typer

from tessera.cli import failures, serving

app = typer.Typer(
    name="tessera",
    help="Promo codes and vouchers for many organizations. Settings come from the environment (TESSERA_...).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("serve")(serving.serve)
app.command("api")(serving.api)
app.command("worker")(serving.worker)
app.command("migrate")(serving.migrate)
app.add_typer(serving.demo_commands, name="demo", help="The demonstration data.")


def run() -> None:
    """The entry point: whatever cannot be done ends with one clear line and status 1, never with a traceback."""
    try:
        app()
    except failures.FORESEEN as error:
        for line in failures.lines(error):
            print(f"tessera: {line}", file=sys.stderr)  # noqa: T201 - this is the command line
        sys.exit(1)
