"""The export of all records about a person."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from tessera.audit import service as audit
from tessera.audit.service import Change
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Conflict, NotFound
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import email_key, key_of
from tessera.persons.erasures.rules import is_tombstone
from tessera.persons.repository import MAX_RECORDS, PersonRepository, Record
from tessera.persons.rules import Identity
from tessera.vouchers import codes

# The beginning of the reservation codes that an import of vouchers makes from their codes.
IMPORTED = "IMPORTED-"


class SharedAddress(Conflict):
    """Several candidates have the address."""

    def __init__(self) -> None:
        super().__init__("Several candidates have this address. Name each of them by their person id.")


class TooManyRecords(Conflict):
    """More than MAX_RECORDS records of one table are about the person."""

    def __init__(self) -> None:
        super().__init__(f"More than {MAX_RECORDS:,} records of one kind are about this person.")


async def export(work: UnitOfWork, person: str, *, now: datetime) -> Mapping[str, Sequence[Record]]:
    """All records about a person, by table; `person` is the person id of a candidate or the address of anybody.

    The codes of vouchers are masked. The audit log has the numbers of records, and not the person. Raises NotFound,
    SharedAddress and TooManyRecords.
    """
    identity = await identify(work, person)
    records = await PersonRepository(work).list_records(person_ids=identity.person_ids, email_keys=identity.email_keys)
    if not records:
        raise NotFound("There is no such person.")
    counts = {table: len(rows) for table, rows in records.items()}
    if max(counts.values()) > MAX_RECORDS:
        raise TooManyRecords
    await audit.record(work, Change(action="Exported", kind="Person", id=new_id(), after=counts), now=now)
    return {table: [_masked(table, row) for row in rows] for table, rows in records.items()}


def _masked(table: str, row: Record) -> Record:
    """The record with the code of a voucher masked, also in the reservation code of an import."""
    code = row["code"] if table == "vouchers" or row.get("voucher_id") else None
    if table == "reservations" and row["code"].startswith(IMPORTED):
        code = row["code"].removeprefix(IMPORTED)
    if code is None:
        return row
    replaced = {name: value.replace(code, codes.mask(code)) for name, value in row.items() if isinstance(value, str)}
    return row | replaced | ({"code_key": replaced["code"].lower()} if "code_key" in row else {})


async def identify(work: UnitOfWork, person: str) -> Identity:
    """The identity of a candidate with this id, or of anybody with this address, of whom there may be no records.

    Raises NotFound for the tombstone of an erased person, SharedAddress, and TooManyRecords.
    """
    # Text in Postgres cannot contain NUL, so no record matches.
    if "\0" in person or is_tombstone(person):
        raise NotFound("There is no such person.")
    repository, keys = PersonRepository(work), _keys(person)
    candidates = await repository.find_candidates(person_ids=[person], email_keys=keys)
    ids = {person_id for person_id, _ in candidates}
    if person in ids or not ids:
        ids = {person}
    if len(ids) > 1:
        raise SharedAddress
    candidates = await repository.find_candidates(person_ids=ids)
    if len(candidates) > MAX_RECORDS:
        raise TooManyRecords
    addresses = {person, *(email for _, email in candidates if email and not is_tombstone(email))}
    keys = set().union(*map(_keys, addresses))
    found = await repository.find_shared(own_ids=ids, email_keys=keys)
    shared = set().union(*(_keys(each) for each in addresses if not found.isdisjoint(_keys(each))))
    return Identity(person_ids=tuple(ids), email_keys=tuple(sorted(keys - shared)))


def _keys(address: str) -> set[str]:
    """The key of an address, and its spelling in a redemption, whose address is stored as the storefront sends it."""
    return {email_key(address), key_of(address)}
