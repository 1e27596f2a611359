"""The banner that `tessera serve` prints when it is ready."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from tessera.demo.credentials import FILE_NAME, Credentials


def show(base_url: str, pages: Mapping[str, str], directory: Path, credentials: Sequence[Credentials]) -> None:
    """Print the address of each page and, with demonstration data, three requests to try."""
    typer.echo(f"\nTessera serves on {base_url}")
    for name, path in pages.items():
        typer.echo(f"  {name:10} {base_url}{path}")
    if not credentials:
        return
    demo = credentials[0]
    typer.echo(
        f"  credentials of the demonstration organizations  {directory / FILE_NAME}\n\n"
        "Try:\n"
        f'  curl "{base_url}/api/v1/promo-codes?code=PER10" -H "cv-api-key: {demo.api_key}"\n'
        f'  curl -u "{demo.client_id}:{demo.client_secret}" {base_url}/authenticate\n'
        f'  curl "{base_url}/promo-codes?status=Active" -H "Authorization: Bearer {demo.voucher_token}"\n'
    )
