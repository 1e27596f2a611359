"""The messages of `tessera serve`: the steps of its start, and then the pages to open and the way to stop it."""

import sys
from collections.abc import Mapping
from pathlib import Path

import typer

from tessera.demo.credentials import FILE_NAME, Credentials, DemoCredentials


def show_step(sentence: str) -> None:
    """Print the current step, because a first start takes a while."""
    typer.echo(f"{sentence} ...")


def show_banner(base_url: str, pages: Mapping[str, str], directory: Path, demo: DemoCredentials | None) -> None:
    """Print the URL of each page and, with demonstration data, an administrator's token and requests to try."""
    typer.echo(f"\nTessera serves on {base_url}")
    for name, path in pages.items():
        typer.echo(f"  {name:10} {base_url}{path}")
    if demo is not None:
        _show_demo(base_url, directory / FILE_NAME, demo)
    typer.echo("\nCtrl-C stops it." if demo is None else "Ctrl-C stops it; the data is kept.")


def _show_demo(base_url: str, path: Path, demo: DemoCredentials) -> None:
    typer.echo(
        f"  credentials of the demonstration organizations  {path}\n"
        '  as variables of your shell                      eval "$(tessera demo env)"\n'
    )
    # Other people may read standard output that is not a terminal, such as the log of a container.
    if sys.stdout.isatty():
        _show_secrets(base_url, demo.organizations[0])


def _show_secrets(base_url: str, first: Credentials) -> None:
    typer.echo(
        "To try all operations on the docs page, press Authorize and enter this administrator's token:\n"
        f"  {first.administrator_token}\n\n"
        "Try:\n"
        f'  curl "{base_url}/api/v1/promo-codes?code=PER10" -H "cv-api-key: {first.api_key}"\n'
        f'  curl -u "{first.client_id}:{first.client_secret}" {base_url}/authenticate\n'
        f'  curl "{base_url}/promo-codes?status=Active" -H "Authorization: Bearer {first.voucher_token}"\n'
    )
