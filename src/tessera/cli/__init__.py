"""The command line, `tessera`: another front door to the same services."""

import signal


def run() -> None:
    """The entry point; Ctrl-C ends it quietly from the first moment."""
    # The imports take a second, in which nothing runs that would have to be ended in order.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from tessera.cli import app  # noqa: PLC0415 - so that the line above comes first

    app.run()
