"""The command line, `tessera`, which calls the same services as the API."""

import gc
import signal
import sys


def run() -> None:
    """The entry point of `tessera`."""
    # Ctrl-C during the imports, which take a while, ends the process at once: nothing needs a shutdown yet.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # The imported objects live as long as the process, and collections would take a quarter of the time of the imports.
    gc.disable()
    # structlog imports rich if it can, for tracebacks that our log does not have; that takes a tenth of the time. None
    # prevents the import.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    from tessera.cli import app  # noqa: PLC0415 - after the lines above

    app.run()
