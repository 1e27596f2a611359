"""Sealing the audit log into a chain, and verifying it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera.audit.seals import rules
from tessera.audit.seals.repository import SealRepository
from tessera.audit.seals.rules import BEGINNING, Finding, Flaw, Head
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid, Violation

__all__ = ["Finding", "Head", "Verdict"]

AT_ONCE = 1000
MAX_FINDINGS = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a chain looks like: its last link, and everything that is wrong, 1,000 findings at most."""

    head: Head
    findings: Sequence[Finding]


async def list_unsealed_organizations(work: UnitOfWork) -> Sequence[UUID]:
    """The organizations in which entries wait for their seal, for a unit of work pinned to the platform."""
    return await SealRepository(work).list_unsealed_organizations()


async def seal(work: UnitOfWork, *, now: datetime) -> int:
    """Seal up to 1,000 of the entries that wait, and say how many; none while somebody else seals here.

    An entry waits from the commit of its change on, so each is sealed once, in whatever order they were committed, and
    nobody who writes waits for it. Seals and waiting end in one transaction: a kill leaves the chain as it was.
    """
    seals = SealRepository(work)
    if not await seals.try_lock():
        return 0
    waiting = await seals.list_unsealed(AT_ONCE)
    if waiting:
        await seals.add(rules.seals(waiting, head=await seals.head()), now=now)
    return len(waiting)


async def verify(work: UnitOfWork, *, noted: Head | None = None) -> Verdict:
    """Read the whole chain and every entry; finds any edit, removal or swap of what was sealed, whoever made it.

    `noted` is a head that was kept elsewhere: with it also a chain that was cut off or written anew.
    """
    seals = SealRepository(work)
    head, findings = Head(0, BEGINNING), list[Finding]()
    while len(findings) < MAX_FINDINGS:
        links = await seals.list_links(after=head.position, size=AT_ONCE)
        if not links:
            break
        findings += rules.flaws(links, head=head)
        head = Head(links[-1][0].position, links[-1][0].digest)
    findings += [Finding(Flaw.NOT_SEALED, None, entry_id) for entry_id in await seals.list_forgotten(AT_ONCE)]
    if noted is not None and await seals.find_digest(noted.position) != noted.digest:
        findings.append(Finding(Flaw.HEAD_DIFFERS, noted.position, None))
    return Verdict(head, findings[:MAX_FINDINGS])


def parse_head(text: str) -> Head:
    """A head as it was noted; raises Invalid."""
    position, _, digest = text.partition(":")
    try:
        head = Head(int(position), bytes.fromhex(digest))
    except ValueError as error:
        raise Invalid([Violation("NotHead", "head", "must be POSITION:DIGEST, as verify has told it")]) from error
    return head
