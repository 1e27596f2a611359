"""The command line, `tessera`, which calls the same services as the API."""

import gc
import signal


def run() -> None:
    """The entry point of `tessera`."""
    # Ctrl-C during the imports, which take a while, ends the process at once: nothing needs a shutdown yet.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What the imports create lives as long as the process. Collections during them take a quarter of their time.
    gc.disable()
    from tessera.cli import app  # noqa: PLC0415 - after the lines above

    app.run()
