"""The first step of each command: settings, logs, signals."""

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
        raise CannotStart("TESSERA_TOKEN_KEYS is not set: give it kid:secret, such as 1:$(openssl rand -hex 32)")
    logging.configure(level=settings.log_level)
    # These signals raise SystemExit, so that the embedded database is stopped on the way out.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)
    return settings


def start_with_token_key() -> Settings:
    """As `start`, with the signing key of the data directory if the environment sets none."""
    return start(needs_keys=True, settings=configuration.with_stored_key(configuration.load()))


def _exit(received: int, _: FrameType | None) -> None:
    sys.exit(128 + received)
