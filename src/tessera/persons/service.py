"""The export of all records about a person."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from tessera.audit import service as audit
from tessera.audit.service import Change
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Conflict, NotFound
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import email_key
from tessera.persons.repository import MAX_RECORDS, PersonRepository, Record
from tessera.vouchers import codes

# The beginning of the reservation codes that an import of vouchers makes from their codes.
IMPORTED = "IMPORTED-"


class SharedAddress(Conflict):
    """Several candidates have the address."""

    def __init__(self) -> None:
        super().__init__("Several candidates have this address. Name each of them by their person id.")


class TooManyRecords(Conflict):
    """An export would have more than MAX_RECORDS records of one table."""

    def __init__(self) -> None:
        super().__init__(f"More than {MAX_RECORDS:,} records of one kind are about this person.")


async def export(work: UnitOfWork, person: str, *, now: datetime) -> Mapping[str, Sequence[Record]]:
    """All records about a person, by table; `person` is the person id of a candidate or the address of anybody.

    The codes of vouchers are masked. The audit log has the numbers of records, and not the person. Raises NotFound,
    SharedAddress and TooManyRecords.
    """
    repository = PersonRepository(work)
    # Text in Postgres cannot contain NUL, so no record matches.
    records = {} if "\0" in person else await _list_records(repository, person)
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


async def _list_records(repository: PersonRepository, person: str) -> dict[str, list[Record]]:
    """The records of a candidate include those of addresses that no other candidate has."""
    keys = _keys(person)
    candidates = await repository.find_candidates(person_ids=[person], email_keys=keys)
    ids = {person_id for person_id, _ in candidates}
    if person in ids or not ids:
        ids = {person}
    if len(ids) > 1:
        raise SharedAddress
    candidates = await repository.find_candidates(person_ids=ids)
    keys = keys.union(*(_keys(email) for _, email in candidates if email))
    having = await repository.find_candidates(email_keys=keys)
    if max(len(candidates), len(having)) > MAX_RECORDS:
        raise TooManyRecords
    shared = {key for person_id, email in having if email and person_id not in ids for key in _keys(email)}
    return await repository.list_records(person_ids=ids, email_keys=keys - shared)


def _keys(address: str) -> set[str]:
    """The key of an address, and its spelling in a redemption, whose address is stored as the storefront sends it."""
    return {email_key(address), address.lower()}
