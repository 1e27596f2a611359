"""The first step of each command: settings, logs and signals."""

import signal
import sys
from types import FrameType

from tessera import settings as configuration
from tessera.kit import logging
from tessera.settings import Settings


class CannotStart(Exception):
    """The environment prevents the start; the message says how to fix it."""


def start(*, needs_keys: bool = False, settings: Settings | None = None) -> Settings:
    """Load the settings if none are passed, and configure logs and signals; raises SettingsInvalid, CannotStart."""
    settings = settings or configuration.load()
    if needs_keys and not settings.token_keys:
        raise CannotStart("TESSERA_TOKEN_KEYS is not set: set it to kid:secret, such as 1:$(openssl rand -hex 32)")
    logging.configure(level=settings.log_level)
    # These signals raise SystemExit, so that the embedded database stops before the process ends.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)
    return settings


def start_with_token_key() -> Settings:
    """Like `start`, with the signing key in the data directory if the environment sets none."""
    return start(needs_keys=True, settings=configuration.with_stored_key(configuration.load()))


def base_url_of(settings: Settings, port: int) -> str:
    """The URL of the server for clients: the configured one, or the address to listen on."""
    if settings.public_url:
        return settings.public_url
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - an address to replace
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
