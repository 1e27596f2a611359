"""The messages of `tessera serve`: the steps of its start, and then the pages to open and the way to stop it."""

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import typer

from tessera.demo.credentials import FILE_NAME, DemoCredentials


def show_step(sentence: str) -> None:
    """Print the current step, because a first start takes a while."""
    typer.echo(f"{sentence} ...")


def show_banner(base_url: str, pages: Mapping[str, str], directory: Path, demo: DemoCredentials | None) -> None:
    """Print the URL of each page and, with demonstration data, an administrator's token and requests to try."""
    typer.echo(f"\nTessera serves on {base_url}")
    for name, path in pages.items():
        typer.echo(f"  {name:10} {base_url}{path}")
    if demo is not None:
        _show_demo(directory / FILE_NAME, demo)
    typer.echo("\nCtrl-C stops it." if demo is None else "Ctrl-C stops it; the data is kept.")


def _show_demo(path: Path, demo: DemoCredentials) -> None:
    typer.echo(f"  credentials of the demonstration organizations: {path}\n")
    # Other people may read standard output that is not a terminal, such as the log of a container.
    if sys.stdout.isatty():
        typer.echo(
            "To try all operations on the docs page, press Authorize and enter this administrator's token:\n"
            f"  {demo.organizations[0].administrator_token}\n"
        )
    typer.echo(
        "In another terminal, set the URL and the credentials as variables, then try:\n"
        f'  eval "$({_command()} demo env)"\n'
        '  curl "$DEMO_URL/api/v1/promo-codes?code=PER10" -H "cv-api-key: $DEMO_API_KEY"\n'
        '  curl -u "$DEMO_CLIENT_ID:$DEMO_CLIENT_SECRET" "$DEMO_URL/authenticate"\n'
        '  curl "$DEMO_URL/promo-codes?status=Active" -H "Authorization: Bearer $DEMO_VOUCHER_TOKEN"\n'
    )


def _command() -> str:
    """How a shell finds this program: by its name or, for example in a checkout, by its path."""
    path = sys.argv[0]
    return "tessera" if shutil.which("tessera") == str(Path(path).absolute()) else shlex.quote(path)
