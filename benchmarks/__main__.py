"""Every case beside its floor: `python -m benchmarks`, or some of them by name."""

import sys
from collections.abc import Callable
from contextlib import ExitStack

import psycopg

from benchmarks import creating, data, listing, processes, purchasing, redeeming, validating
from benchmarks.results import Results
from benchmarks.servers import serving
from benchmarks.sizes import CHOSEN
from tessera.provision import Addresses

FACTORIES = {"Tessera": "applications:tessera", "usual": "applications:usual", "bare": "floors:bare"}


def main(wanted: set[str]) -> None:
    """Load, measure, print."""
    results = Results()
    if not wanted or "processes" in wanted:
        processes.measure_start(results)
    with data.database() as (addresses, connection):
        measure(results, addresses, connection, wanted)
    results.finish()


def measure(results: Results, addresses: Addresses, connection: psycopg.Connection, wanted: set[str]) -> None:
    """The cases that need the database; the one that makes it large comes last."""
    url = data.bare_url(addresses)
    shop, maker = (data.add_shop(connection, name, application_url=addresses.application) for name in ("Shop", "Maker"))
    environment = {
        "APPLICATION_URL": addresses.application,
        "OWNER_URL": addresses.owner,
        "BARE_URL": url,
        "ORGANIZATION_ID": str(shop.organization_id),
    }
    shops = data.load_codes(connection, organizations=CHOSEN.organizations, codes=CHOSEN.codes)
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(serving(name, f"benchmarks.{factory}", environment))
            for name, factory in FACTORIES.items()
        }
        cases: dict[str, Callable[[], None]] = {
            "validating": lambda: validating.measure(results, servers, shops),
            "processes": lambda: processes.measure_two(results, servers, shops, environment),
            "memory": lambda: processes.measure_memory(results, shops, environment),
            "redeeming": lambda: redeeming.measure(results, servers, shops[0], connection, url),
            "creating": lambda: creating.measure(results, servers, maker, url),
            "purchasing": lambda: purchasing.measure(results, servers, connection, addresses),
            "listing": lambda: listing.measure(results, servers, shop, connection),
        }
        for name, run in cases.items():
            if not wanted or name in wanted:
                run()


if __name__ == "__main__":
    main(set(sys.argv[1:]))
