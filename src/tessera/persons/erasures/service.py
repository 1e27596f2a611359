"""The erasure of persons: tombstones replace everything that names one of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.seals import service as seals
from tessera.audit.service import Action, Change
from tessera.kit.db.round_trips import run
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import NotFound, WrongState
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import email_key
from tessera.persons.erasures import columns, rules
from tessera.persons.erasures.audit_values.repository import AuditLogRepository
from tessera.persons.erasures.repository import ErasureRepository
from tessera.persons.erasures.rules import NOTHING, Eraser, Values
from tessera.persons.rules import Identity
from tessera.persons.service import SharedAddress, identify
from tessera.redemptions.reservations.repository import ReservationRepository

__all__ = ["Erasure", "erase", "erase_again", "list_erasures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What an erasure changed, as numbers of rows by table, and what stays under a tombstone."""

    erased_at: datetime
    changed: Mapping[str, int]
    live_holds: int
    live_redemptions: int
    unused_vouchers: int


async def erase(work: UnitOfWork, person: str, *, now: datetime) -> Erasure:
    """Replace everything that names a person by tombstones, in one transaction; counts, money and limits stay.

    Raises NotFound for an unknown or erased person, SharedAddress, and WrongState for an active user.
    """
    repository = ErasureRepository(work)
    await repository.lock()
    identity = await identify(work, person)
    values = await _values(repository, identity)
    if any((await repository.list_users(identity)).values()):
        raise WrongState("user", "Active")
    return await _erase(work, identity, values, now=now)


async def erase_again(work: UnitOfWork, key: bytes, erasures: Mapping[bytes, datetime], *, now: datetime) -> int:
    """Erase the persons of a list of erasures that a restored backup does not have; returns their number.

    Users who were deactivated and erased after the backup are deactivated again.
    """
    repository = ErasureRepository(work)
    await repository.lock()
    await repository.add_key(key)
    known = await repository.list_erasures()
    digests = [each for each in erasures if each not in known]
    # Ids come first: an address may be one that several persons had.
    groups = sorted(columns.groups(), key=lambda group: not group.is_by_id)
    count = 0
    for group in groups:
        for person in await repository.find_digested(group, key, digests):
            try:
                identity = await identify(work, person)
                values = await _values(repository, identity)
            # The person was erased with an earlier id or address, or others have the address in the backup.
            except (NotFound, SharedAddress):
                continue
            await _erase(work, identity, values, now=now)
            count += 1
    await repository.add_erasures(digests, [erasures[each] for each in digests])
    return count


async def list_erasures(work: UnitOfWork) -> tuple[bytes | None, Mapping[bytes, datetime]]:
    """The secret of the organization's digests, and the digests of erased persons with the times of the erasures."""
    repository = ErasureRepository(work)
    return await repository.find_key(), await repository.list_erasures()


async def _values(repository: ErasureRepository, identity: Identity) -> Values:
    """The texts that name a person; raises NotFound if no row does."""
    values, is_known = NOTHING, False
    for group in columns.groups():
        rows = await repository.list_spellings(group, identity)
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
    # A redemption that is being confirmed copies its candidate to a voucher.
    codes = await repository.list_reservation_codes(identity)
    await run(work.connection, ReservationRepository(work).locking(codes))
    kept = await repository.count_kept(identity, now=now)
    users = list(await repository.list_users(identity))
    key = await repository.get_key()
    changed: Counter[str] = Counter()
    for group in columns.groups():
        changed[group.table] += len(await repository.erase_rows(group, identity, key))
    eraser = Eraser(values)
    entries = await AuditLogRepository(work).erase(eraser, users)
    for table in columns.searched_tables():
        rows = await repository.erase_mentions(table, eraser, await repository.find_mentions(table, values))
        changed[table.table] += len(rows)
        entries |= {row["id"] for row in rows if table.table == "audit_entries"}
    changed["audit_entries"] = len(entries)
    digests = [rules.digest(key, each) for each in (*identity.person_ids, *identity.email_keys)]
    await repository.add_erasures(digests, [now] * len(digests))
    counts = {table: count for table, count in sorted(changed.items()) if count}
    await _record(work, counts, entries, now=now)
    return Erasure(erased_at=now, changed=counts, **kept)


async def _record(work: UnitOfWork, counts: Mapping[str, int], entries: set[UUID], *, now: datetime) -> None:
    """Record the erasure without its subject, with the digests of the entries that no longer match their seals."""
    after = {"changed": counts, seals.AMENDED: await seals.digest_contents(work, list(entries))}
    await audit.record(work, Change(action=Action.ERASED, kind="Person", id=new_id(), after=after), now=now)
