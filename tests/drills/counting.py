"""What the database has of the writes that were acknowledged."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import psycopg

from tessera.kit.db.connections import conninfo
from tests.attacks.parties import Party
from tests.drills.load import HOLD, PURCHASE, QUANTITY, REDEMPTION, Write
from tests.support.commands import tessera

_REDEMPTIONS = """
select r.code, count(*) from reservations r join redemptions d on d.organization_id = r.organization_id
  and d.reservation_id = r.id and d.status = %s
where r.code = any(%s) group by r.code
"""
# A purchase is there once it has its vouchers; one with more vouchers than it has bought is there twice.
_PURCHASES = f"""
select p.notes, (count(v.id) + {QUANTITY} - 1) / {QUANTITY} from voucher_purchases p
join vouchers v on v.organization_id = p.organization_id and v.purchase_id = p.id
where p.status = %s and p.notes = any(%s) group by p.notes having count(v.id) >= {QUANTITY}
"""
_QUERIES = {
    REDEMPTION: (_REDEMPTIONS, "Redeemed"),
    HOLD: (_REDEMPTIONS, "Held"),
    PURCHASE: (_PURCHASES, "Complete"),
}
_UNFINISHED = "select count(*) from voucher_purchases where status = 'VoucherCreation' and notes like 'purchase-%'"
_FINISHED_JOB = """
select extract(epoch from min(at))::float from procrastinate_events
join procrastinate_jobs jobs on jobs.id = job_id
where type = 'succeeded' and args ? 'purchase_id' and at > to_timestamp(%s)
"""


class Count(NamedTuple):
    """How many of the acknowledged writes are in the database, and how many writes are there more than once."""

    present: int
    doubled: int


def count(url: str, acknowledged: Sequence[Write], all_writes: Sequence[Write]) -> Count:
    """Count the writes in the database with this address of a superuser."""
    found: Counter[str] = Counter()
    with opened(url) as connection:
        for kind, (query, status) in _QUERIES.items():
            names = [write.name for write in all_writes if write.kind == kind]
            found.update(dict(connection.execute(query, [status, names]).fetchall()))
    return Count(
        present=sum(write.name in found for write in acknowledged),
        doubled=sum(number > 1 for number in found.values()),
    )


def opened(url: str, *, seconds: int = 5) -> psycopg.Connection:
    """A connection in autocommit mode."""
    return psycopg.connect(conninfo(url), autocommit=True, connect_timeout=seconds)


def has_unfinished_purchases(url: str) -> bool:
    """Whether a purchase has no vouchers yet, or the database does not answer."""
    try:
        with opened(url) as connection:
            return connection.execute(_UNFINISHED).fetchone() != (0,)
    except psycopg.OperationalError:  # a former primary that is just being stopped
        return True


def first_finished_job(url: str, since: float) -> float | None:
    """When the first job of a purchase ended after this time."""
    with opened(url) as connection:
        (moment,) = connection.execute(_FINISHED_JOB, [since]).fetchone() or (None,)
    return None if moment is None else float(moment)


def wait_for_writes(url: str, *, seconds: float = 120) -> float:
    """Wait until the database accepts a write; returns the time."""
    end = time.time() + seconds
    while True:
        try:
            with opened(url, seconds=2) as connection:
                connection.execute("set statement_timeout = '1s'")
                connection.execute("update drill.probe set at = clock_timestamp()")
                return time.time()
        except psycopg.Error as error:
            if time.time() > end:
                raise AssertionError(f"no write within {seconds:g} s: {error}") from error
        time.sleep(0.05)


def add_probe(url: str) -> None:
    """Add the table of `wait_for_writes`."""
    with opened(url) as connection:
        connection.execute("create schema drill; create table drill.probe as select now() as at")


def disagreements(parties: Iterable[Party], settings: dict[str, str]) -> list[str]:
    """What `tessera ledger verify` and `tessera audit verify` report for these organizations."""

    def run(party: Party, command: str) -> str:
        result = tessera(command, "verify", "--organization", str(party.id), **settings)
        return "" if result.returncode == 0 else f"{command} of {party.id}: {result.stdout}{result.stderr}"

    with ThreadPoolExecutor(2) as pool:
        pairs = [(party, command) for party in parties for command in ("ledger", "audit")]
        return [line for line in pool.map(run, *zip(*pairs, strict=True)) if line]
