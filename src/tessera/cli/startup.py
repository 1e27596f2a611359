"""The first step of each command: settings, logs and signals."""

import signal
import sys
from types import FrameType
from typing import Annotated

import structlog
import typer

from tessera import settings as configuration
from tessera.kit import logging
from tessera.settings import Settings

log = structlog.get_logger(__name__)

_NO_KEYS = "TESSERA_TOKEN_KEYS is not set: set it to kid:secret, such as 1:$(openssl rand -hex 32)"

Embedded = Annotated[
    bool,
    typer.Option("--embedded", help="Use the embedded Postgres in TESSERA_DATA_DIR instead of TESSERA_DATABASE_URL."),
]


class CannotStart(Exception):
    """The environment prevents the start; the message says how to fix it."""


def start(*, needs_keys: bool = False, settings: Settings | None = None) -> Settings:
    """Load the settings if none are passed, and configure logs and signals; raises SettingsInvalid, CannotStart."""
    settings = settings or configuration.load()
    if needs_keys and not settings.token_keys:
        raise CannotStart(_NO_KEYS)
    logging.configure(level=settings.log_level)
    if needs_keys and configuration.replaces_stored_key(settings):
        log.warning(
            "TESSERA_TOKEN_KEYS lacks the key of the data directory; tokens that it has signed are refused",
            key=str(settings.data_dir / configuration.KEY_FILE_NAME),
        )
    # These signals raise SystemExit, so that the embedded database stops before the process ends.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)
    return settings


def start_with_token_key() -> Settings:
    """Like `start`, with the signing key in the data directory if the settings have none."""
    return start(needs_keys=True, settings=configuration.with_stored_key(configuration.load()))


def start_api(*, embedded: bool) -> Settings:
    """Like `start`, with a signing key and a database; the error names all that is missing."""
    settings = configuration.load()
    missing = [] if settings.token_keys else [_NO_KEYS]
    if not embedded and settings.database_url is None:
        missing.append(_no_database(settings))
    if missing:
        raise CannotStart("\n".join(missing))
    require_database(settings, embedded=embedded)
    return start(needs_keys=True, settings=settings)


def require_database(settings: Settings, *, embedded: bool) -> None:
    """Raise CannotStart unless the settings name a database, or `embedded` asks for the embedded one.

    A process of a deployment that lacks its setting would otherwise start an empty database, which looks healthy.
    """
    if embedded and settings.database_url is not None:
        raise CannotStart("TESSERA_DATABASE_URL is set, so --embedded cannot be used")
    if not embedded and settings.database_url is None:
        raise CannotStart(_no_database(settings))


def _no_database(settings: Settings) -> str:
    return (
        "TESSERA_DATABASE_URL is not set: set it, or use --embedded for the embedded Postgres"
        f" in TESSERA_DATA_DIR ({settings.data_dir})"
    )


def require_existing_database(settings: Settings) -> None:
    """Raise CannotStart if the settings name no database and the data directory contains none."""
    if settings.database_url is None and not (settings.data_dir / "postgres").exists():
        raise CannotStart(
            f"there is no database in {settings.data_dir}: set TESSERA_DATABASE_URL or TESSERA_DATA_DIR,"
            " or run `tessera serve` first"
        )


def base_url_of(settings: Settings, port: int) -> str:
    """The URL of the server for clients: the configured one, or the address to listen on."""
    if settings.public_url:
        return settings.public_url
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - an address to replace
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
