"""The list of erasures of all organizations: what a restore of an older backup needs to erase the same persons."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera.identity.organizations import service as organizations
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.database import Access, Database
from tessera.kit.errors import Invalid, Violation
from tessera.persons.erasures import service
from tessera.persons.erasures.service import Repetition

FORMAT = 1
# The length of a digest, and of the secret of an organization.
DIGEST_BYTES = 32
# For each organization, its secret and the times of its erasures by digest.
Erasures = Mapping[UUID, tuple[bytes, Mapping[bytes, datetime]]]


async def collect(database: Database) -> dict[str, Any]:
    """The list of erasures, as JSON; it names nobody."""
    async with database.unit_of_work(PLATFORM_ID) as work:
        rows = await organizations.list_all(work)
    listed = {}
    for organization in rows:
        async with database.unit_of_work(organization.id, access=Access.READ) as work:
            key, erasures = await service.list_erasures(work)
        if key is not None and erasures:
            times = {digest.hex(): at.isoformat() for digest, at in erasures.items()}
            listed[str(organization.id)] = {"key": key.hex(), "erasures": times}
    return {"format": FORMAT, "organizations": listed}


def parse(content: Any) -> Erasures:  # noqa: ANN401 - any JSON value
    """The erasures of a list; raises Invalid."""
    try:
        if content["format"] != FORMAT:
            raise ValueError(content["format"])
        return {
            UUID(organization_id): (
                _sha256(each["key"]),
                {_sha256(digest): _time(at) for digest, at in each["erasures"].items()},
            )
            for organization_id, each in content["organizations"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid([Violation("NotErasures", "erasures", "must be a list of `tessera person erasures`")]) from error


def _sha256(text: str) -> bytes:
    digest = bytes.fromhex(text)
    if len(digest) != DIGEST_BYTES:
        raise ValueError(text)
    return digest


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(text)
    return time


@dataclass(frozen=True, slots=True)
class Applied:
    """The number of persons who were erased, and a line for each entry of the list that remains to be done."""

    count: int
    remaining: Sequence[str]


async def apply(database: Database, erasures: Erasures, *, now: datetime) -> Applied:
    """Erase the listed persons in a restored database.

    Each organization is one transaction, and the list can be applied again. Organizations that the database does not
    have are skipped.
    """
    async with database.unit_of_work(PLATFORM_ID) as work:
        existing = {organization.id for organization in await organizations.list_all(work)}
    count, remaining = 0, list[str]()
    for organization_id, (key, digests) in erasures.items():
        if organization_id in existing:
            # A backup may contain a frozen organization.
            async with database.unit_of_work(organization_id, access=Access.MOVE) as work:
                repetition = await service.erase_again(work, key, digests, now=now)
            count += repetition.count
            remaining += _lines(organization_id, repetition)
    return Applied(count, remaining)


def _lines(organization_id: UUID, repetition: Repetition) -> Iterator[str]:
    for digest, reason in repetition.refused.items():
        yield f"organization {organization_id}, erasure {digest.hex()}: not erased again: {reason}"
    if not repetition.is_same_key:
        yield (
            f"organization {organization_id}: the database has another key than the list, and knows nothing of these"
            " erasures: keep this list, too"
        )
