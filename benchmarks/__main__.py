"""Run all benchmarks, or those named on the command line: `python -m benchmarks [NAME...]`."""

import sys
from collections.abc import Callable
from contextlib import ExitStack

import psycopg

from benchmarks import creating, data, listing, processes, purchasing, redeeming, validating
from benchmarks.results import Results
from benchmarks.servers import serving, serving_as_shipped
from benchmarks.sizes import SIZES
from tessera.provision import Addresses

FACTORIES = {
    "Tessera": "applications:tessera",
    "usual": "applications:usual",
    "constant": "floors:constant",
    "bare": "floors:bare",
}


def main(names: set[str]) -> None:
    """Load the data, run the named benchmarks (all if there are no names) and print the results."""
    results = Results()
    if not names or "processes" in names:
        processes.measure_start(results)
    with data.database() as (addresses, connection):
        measure(results, addresses, connection, names)
    results.finish()


def measure(results: Results, addresses: Addresses, connection: psycopg.Connection, names: set[str]) -> None:
    """Run the benchmarks that need the database; the last one adds most of the data."""
    url = data.bare_url(addresses)
    shop, maker = (data.add_shop(connection, name, application_url=addresses.application) for name in ("Shop", "Maker"))
    environment = {
        "APPLICATION_URL": addresses.application,
        "OWNER_URL": addresses.owner,
        "BARE_URL": url,
        "ORGANIZATION_ID": str(shop.organization_id),
    }
    shops = data.load_codes(connection, organizations=SIZES.organizations, codes=SIZES.codes)
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(serving(name, f"benchmarks.{factory}", environment))
            for name, factory in FACTORIES.items()
        }
        shipped = serving_as_shipped(addresses.application, data.TOKEN_KEYS)
        servers[validating.SHIPPED] = stack.enter_context(shipped)
        cases: dict[str, Callable[[], None]] = {
            "validating": lambda: validating.measure(results, servers, shops, connection),
            "processes": lambda: processes.measure_two(results, servers, shops, environment),
            "memory": lambda: processes.measure_memory(results, shops, environment),
            "redeeming": lambda: redeeming.measure(results, servers, shops[0], connection, url),
            "creating": lambda: creating.measure(results, servers, maker, url),
            "purchasing": lambda: purchasing.measure(results, servers, connection, addresses),
            "listing": lambda: listing.measure(results, servers, shop, connection),
        }
        for name, run_case in cases.items():
            if not names or name in names:
                run_case()


if __name__ == "__main__":
    main(set(sys.argv[1:]))
