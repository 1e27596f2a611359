"""The command line, `tessera`, which calls the same services as the API."""

import signal


def run() -> None:
    """The entry point of `tessera`."""
    # Ctrl-C during the imports, which take a second, ends the process at once: nothing needs a shutdown yet.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from tessera.cli import app  # noqa: PLC0415 - after the line above

    app.run()
