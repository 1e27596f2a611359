"""The command that runs a worker."""

import asyncio

from tessera import main, provision, schema
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.startup import start

commands = CommandGroup()


@commands.command("worker")
def worker() -> None:
    """Run a worker without an API server.

    SIGINT and SIGTERM let running jobs finish. Run `tessera migrate` first.
    """
    settings = start()
    with provision.database(settings) as addresses:
        schema.check(addresses.application)
        asyncio.run(main.run_worker(settings, addresses.application))
