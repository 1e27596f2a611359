"""`make upgrade-test`: an upgrade from the last release under load, in which no request may fail.

Two API processes and a worker of the last release serve about 50 requests a second while the database is migrated. Then
each process is replaced by one of this checkout. The table shows the requests of each phase.
"""

import argparse
import asyncio
import json
import math
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psycopg

from tessera import provision
from tessera.kit.embedded_postgres import server as embedded
from tests.upgrade.installations import RELEASE, Installation, Process, last_release, stopping, this_checkout
from tests.upgrade.traffic import Callers, Outcome, Traffic, mixed


def main() -> int:
    """Run the upgrade, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="the length of each phase of plain traffic")
    parser.add_argument("--ports", type=int, default=19100, help="the first of four loopback ports")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        server = embedded.start(directory / "data")
        try:
            provision.create_database(server, "tessera")
            settings = {
                "TESSERA_DATABASE_URL": _plain(server.url(user="tessera_app", database="tessera")),
                "TESSERA_OWNER_DATABASE_URL": _plain(server.url(user="postgres", database="tessera")),
                "TESSERA_DATA_DIR": str(directory / "credentials"),
                "TESSERA_TOKEN_KEYS": f"1:{secrets.token_hex(32)}",
            }
            (directory / "release").mkdir()
            old, new = last_release(directory / "release", settings), this_checkout(settings)
            outcomes, unfinished = asyncio.run(_upgrade(old, new, directory, options.seconds, options.ports))
            for line in _errors_in(directory):
                print(line)
            return _report(outcomes, unfinished)
        finally:
            server.stop()


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg:", "postgresql:")


async def _upgrade(
    old: Installation, new: Installation, logs: Path, seconds: float, port: int
) -> tuple[Sequence[Outcome], int]:
    callers = _callers(old)
    running = [old.start("api", log=logs / f"api-{n}.log", port=port + n) for n in range(2)]
    workers = [old.start("worker", log=logs / "worker.log")]
    with stopping(running), stopping(workers):
        for process in running:
            await asyncio.to_thread(process.wait_until_ready)
        traffic = Traffic(mixed(callers), [process.url for process in running])
        traffic.phase = f"{RELEASE} on its schema"
        async with traffic.flowing():
            await asyncio.sleep(seconds)
            traffic.phase = "during the migration"
            began = time.monotonic()
            await asyncio.to_thread(new.run, "migrate")
            print(f"migrated in {time.monotonic() - began:.1f} s", flush=True)
            traffic.phase = f"{RELEASE} on today's schema"
            await asyncio.sleep(seconds)
            for number, process in enumerate(running[:2]):
                traffic.phase = f"while process {number + 1} is replaced"
                await _replace(traffic, process, running, new, logs / f"api-{number + 2}.log", port + 2 + number)
                await asyncio.sleep(seconds / 2)
            await asyncio.to_thread(workers[0].stop)
            workers.append(new.start("worker", log=logs / "worker.log"))
            traffic.phase = "today on today's schema"
            await asyncio.sleep(seconds)
        return traffic.outcomes, await _unfinished_purchases(new.settings["TESSERA_OWNER_DATABASE_URL"])


async def _replace(
    traffic: Traffic, process: Process, running: list[Process], new: Installation, log: Path, port: int
) -> None:
    successor = new.start("api", log=log, port=port)
    running.append(successor)
    await asyncio.to_thread(successor.wait_until_ready)
    traffic.targets.append(successor.url)
    await traffic.remove(process.url)
    await asyncio.to_thread(process.stop)


def _callers(old: Installation) -> Callers:
    old.run("demo", "load")
    demo = json.loads((Path(old.settings["TESSERA_DATA_DIR"]) / "demo.json").read_text())["organizations"][0]
    user = ["--organization", demo["name"], "--email", "pia@example.com"]
    names = ["--first-name", "Pia", "--last-name", "Form", "--function-point", "ManageOrganization"]
    old.run("user", "create", *user, *names)
    issued = json.loads(old.run("token", "issue", *user, "--json"))
    return Callers(
        storefront={"cv-api-key": demo["apiKey"]},
        integrator=_bearer(demo["voucherToken"]),
        buyer=_bearer(demo["partnerToken"]),
        administrator=_bearer(issued["token"]),
    )


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def _unfinished_purchases(owner_url: str) -> int:
    """The purchases that still have no vouchers after the worker had time for them."""
    # The demonstration data has unfinished purchases of its own.
    query = "select count(*) from voucher_purchases where status = 'VoucherCreation' and notes = 'Upgrade'"
    end = time.monotonic() + 60
    async with await psycopg.AsyncConnection.connect(owner_url, autocommit=True) as connection:
        while True:
            (count,) = await (await connection.execute(query)).fetchone() or (0,)
            if count == 0 or time.monotonic() > end:
                return int(count)
            await asyncio.sleep(0.2)


def _errors_in(directory: Path) -> set[str]:
    """The last lines of the exceptions that the processes have logged, and their warnings."""
    lines = [
        json.loads(line) for log in directory.glob("*.log") for line in log.read_text().splitlines() if line[:1] == "{"
    ]
    errors = [line for line in lines if line["level"] in ("warning", "error", "critical")]
    return {line["event"][:200] + " " + line.get("exception", "").strip().rpartition("\n")[2][:300] for line in errors}


def _report(outcomes: Sequence[Outcome], unfinished: int) -> int:
    print(f"{'phase':32} {'requests':>8} {'errors':>6} {'p99':>8}")
    for phase in dict.fromkeys(outcome.phase for outcome in outcomes):
        seconds = sorted(outcome.seconds for outcome in outcomes if outcome.phase == phase)
        errors = sum(outcome.failure is not None for outcome in outcomes if outcome.phase == phase)
        p99 = seconds[math.ceil(len(seconds) * 0.99) - 1]
        print(f"{phase:32} {len(seconds):8} {errors:6} {p99 * 1000:5.0f} ms")
    failures = Counter((each.phase, each.request, each.failure) for each in outcomes if each.failure)
    for (phase, request, failure), count in failures.most_common(20):
        print(f"{count} x {request} ({phase}): {failure}")
    print(f"purchases without vouchers: {unfinished}")
    return 1 if failures or unfinished else 0


if __name__ == "__main__":
    sys.exit(main())
