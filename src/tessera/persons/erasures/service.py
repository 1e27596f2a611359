"""The erasure of persons: tombstones replace everything that names one of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.seals import service as seals
from tessera.audit.service import Action, Change
from tessera.kit.db.compiled_queries import run
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import NotFound, WrongState
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import email_key
from tessera.persons.erasures import columns, rules
from tessera.persons.erasures.audit_values.repository import AuditLogRepository
from tessera.persons.erasures.repository import ErasureRepository
from tessera.persons.erasures.rules import NOTHING, Eraser, Values
from tessera.persons.repository import MAX_RECORDS
from tessera.persons.rules import Identity
from tessera.persons.service import SharedAddress, TooManyRecords, identify
from tessera.redemptions.reservations.repository import ReservationRepository

# The most digests of amended entries in one entry of the log.
MAX_DIGESTS = 1_000

__all__ = ["Erasure", "erase", "erase_again", "list_erasures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What an erasure changed, as numbers of rows by table, and what stays under a tombstone."""

    erased_at: datetime
    changed: Mapping[str, int]
    live_holds: int
    live_redemptions: int
    unused_vouchers: int


@dataclass(frozen=True, slots=True)
class Repetition:
    """The number of persons who were erased again, and the reasons why others were not, by their digests.

    If the database has another secret, erasures are not added to those that it knows, because nothing can compare them.
    """

    count: int
    refused: Mapping[bytes, str]
    is_same_key: bool


async def erase(work: UnitOfWork, person: str, *, now: datetime) -> Erasure:
    """Replace everything that names a person by tombstones, in one transaction; counts, money and limits stay.

    Raises NotFound for an unknown or erased person, SharedAddress, TooManyRecords, and WrongState for an active user.
    """
    repository = ErasureRepository(work)
    await repository.lock()
    identity = await identify(work, person)
    values = await _values(repository, identity)
    if any((await repository.list_users(identity)).values()):
        raise WrongState("user", "Active")
    return await _erase(work, identity, values, now=now)


async def erase_again(work: UnitOfWork, key: bytes, erasures: Mapping[bytes, datetime], *, now: datetime) -> Repetition:
    """Erase the persons of a list of erasures that a restored backup does not have.

    Users who were deactivated and erased after the backup are deactivated again. Those who cannot be erased are tried
    again the next time.
    """
    repository = ErasureRepository(work)
    await repository.lock()
    is_same_key = await repository.add_key(key)
    known = await repository.list_erasures() if is_same_key else {}
    new = {digest: at for digest, at in erasures.items() if digest not in known or known[digest] < at}
    if not new:
        return Repetition(0, {}, is_same_key)
    # Ids come first: an address may be one that several persons had.
    groups = sorted(columns.groups(), key=lambda group: not group.is_by_id)
    count, refused = 0, dict[bytes, str]()
    for group in groups:
        for person in await repository.find_digested(group, key, list(new)):
            try:
                identity = _listed(await identify(work, person), key, erasures)
                values = await _values(repository, identity)
                await _erase(work, identity, values, now=now)
            except NotFound:  # the person was erased with an earlier id or address
                continue
            # Others have the address in the backup.
            except (SharedAddress, TooManyRecords) as error:
                refused[rules.digest(key, person)] = str(error)
                continue
            count += 1
    if is_same_key:
        await repository.add_erasures({digest: at for digest, at in new.items() if digest not in refused})
    return Repetition(count, refused, is_same_key)


def _listed(identity: Identity, key: bytes, erasures: Mapping[bytes, datetime]) -> Identity:
    """The ids and addresses that were erased; others may have had an address then, and no longer in the backup."""
    return Identity(
        person_ids=tuple(each for each in identity.person_ids if rules.digest(key, each) in erasures),
        email_keys=tuple(each for each in identity.email_keys if rules.digest(key, each) in erasures),
    )


async def list_erasures(work: UnitOfWork) -> tuple[bytes | None, Mapping[bytes, datetime]]:
    """The secret of the organization's digests, and the digests of erased persons with the times of the erasures."""
    repository = ErasureRepository(work)
    return await repository.find_key(), await repository.list_erasures()


async def _values(repository: ErasureRepository, identity: Identity) -> Values:
    """The texts that name a person; raises NotFound if no row does, and TooManyRecords for more than MAX_RECORDS."""
    values, is_known = NOTHING, False
    for group in columns.groups():
        rows = await repository.list_spellings(group, identity, size=MAX_RECORDS + 1)
        if len(rows) > MAX_RECORDS:
            raise TooManyRecords
        is_known = is_known or bool(rows)
        if group.has_metadata:
            values |= Values(records=frozenset(await repository.list_ids(group, identity)))
        values |= rules.values_of(rows, group.contents)
    if not is_known:
        raise NotFound("There is no such person.")
    # Addresses that others have, too, are theirs.
    emails = frozenset(each for each in values.emails if email_key(each) in identity.email_keys)
    return replace(values, emails=emails)


async def _erase(work: UnitOfWork, identity: Identity, values: Values, *, now: datetime) -> Erasure:
    repository = ErasureRepository(work)
    # A hold that is being confirmed copies its candidate to its voucher.
    codes = await repository.list_held_reservations(identity, size=MAX_RECORDS + 1)
    if len(codes) > MAX_RECORDS:
        raise TooManyRecords
    await run(work.connection, ReservationRepository(work).locking(codes))
    kept = await repository.count_kept(identity, now=now)
    users = list(await repository.list_users(identity))
    key = await repository.get_key()
    changed: defaultdict[str, set[tuple[Any, ...]]] = defaultdict(set)
    for group in columns.groups():
        rows = await repository.erase_rows(group, identity, key)
        changed[group.table] |= {tuple(row[name] for name in group.key) for row in rows}
    eraser = Eraser(values)
    entries = await AuditLogRepository(work).erase(eraser, users)
    for table in columns.searched_tables():
        rows = await repository.erase_mentions(table, eraser)
        changed[table.table] |= {tuple(row[name] for name in table.key) for row in rows}
    changed["audit_entries"] |= {(each,) for each in entries}
    digests = [rules.digest(key, each) for each in (*identity.person_ids, *identity.email_keys)]
    await repository.add_erasures(dict.fromkeys(digests, now))
    counts = {table: len(rows) for table, rows in sorted(changed.items()) if rows}
    await _record(work, counts, [each for (each,) in changed["audit_entries"]], now=now)
    return Erasure(erased_at=now, changed=counts, **kept)


async def _record(work: UnitOfWork, counts: Mapping[str, int], entries: Sequence[UUID], *, now: datetime) -> None:
    """Record the erasure without its subject, with the digests of the entries that no longer match their seals.

    One entry has at most MAX_DIGESTS of them, and further entries of the erasure have the others.
    """
    digests, id_ = list((await seals.digest_contents(work, entries)).items()), new_id()
    afters: list[dict[str, Any]] = [
        {seals.AMENDED: dict(digests[start : start + MAX_DIGESTS])}
        for start in range(0, max(len(digests), 1), MAX_DIGESTS)
    ]
    afters[0]["changed"] = counts
    changes = [Change(action=Action.ERASED, kind="Person", id=id_, after=after) for after in afters]
    await audit.record_all(work, changes, now=now)
