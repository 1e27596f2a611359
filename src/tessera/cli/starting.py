"""What every command does first: settings, logs, signals."""

import signal
import sys
from types import FrameType

from tessera import settings as configuration
from tessera.cli.failures import CannotStart
from tessera.kit import logging
from tessera.settings import Settings


def start(*, needs_keys: bool = False, settings: Settings | None = None) -> Settings:
    """The settings of this command; raises SettingsInvalid, CannotStart."""
    settings = settings or configuration.load()
    if needs_keys and not settings.token_keys:
        raise CannotStart("TESSERA_TOKEN_KEYS is not set: give it kid:secret, such as 1:$(openssl rand -hex 32)")
    logging.configure(level=settings.log_level)
    # Leave by the front door on all of these: the embedded database stops on the way out.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    return settings


def _leave(received: int, _: FrameType | None) -> None:
    sys.exit(128 + received)
