"""The chain of seals over the audit log: sealing and verification."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.rules import Change
from tessera.audit.seals import repository, rules
from tessera.audit.seals.repository import AMENDED, SealRepository
from tessera.audit.seals.rules import Finding, Flaw, Head
from tessera.kit.db.passes import Progress
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid, Violation
from tessera.kit.identifiers import new_id

__all__ = ["AMENDED", "Finding", "Head", "Verdict"]

BATCH_SIZE = 1000
MAX_FINDINGS = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a verification: the last link of the chain and at most 1,000 findings.

    The chain says nothing about entries that are unsealed, which a worker seals within seconds.
    """

    head: Head
    findings: Sequence[Finding]
    unsealed: int
    # The number of sealed entries with an erased value.
    erased: int


async def list_unsealed_organizations(work: UnitOfWork) -> Sequence[UUID]:
    """The organizations with unsealed entries, for a unit of work pinned to the platform."""
    return await SealRepository(work).list_unsealed_organizations()


async def seal(work: UnitOfWork, organization_ids: Sequence[UUID], *, now: datetime) -> dict[UUID, Progress]:
    """Seal up to 1,000 unsealed entries of these organizations together, for a unit of work pinned to the platform.

    Organizations that another transaction seals are left out. An entry becomes visible here when its change commits, so
    each entry is sealed once, in any order of commits, and writers never wait for a seal. One transaction adds the
    seals and deletes the rows of unsealed entries.
    """
    locked = await repository.try_lock(work, organization_ids)
    size = max(BATCH_SIZE // len(locked), 1) if locked else 0
    unsealed = await repository.list_unsealed(work, locked, size=size)
    seals = {each: rules.seals(entries, head=head) for each, (head, entries) in unsealed.items()}
    await repository.add(work, seals, now=now)
    return {each: Progress(len(new), has_more=len(new) == size) for each, new in seals.items()}


async def verify(work: UnitOfWork, *, known_head: Head | None = None) -> Verdict:
    """Verify the whole chain against every entry: any edit, removal or swap of sealed entries becomes a finding.

    The chain begins after the entries that retention has dropped. `known_head` is a head stored outside the database;
    it also reveals a chain that was truncated or rewritten. Raises Invalid for a head among the dropped entries.
    """
    seals = SealRepository(work)
    start, findings, erased = await seals.find_start(), list[Finding](), 0
    head = start
    amended = await _amended(seals)
    while len(findings) < MAX_FINDINGS:
        links = await seals.list_links(after=head.position, size=BATCH_SIZE)
        if not links:
            break
        findings += rules.flaws(links, head=head, amended=amended)
        erased += sum(
            entry is not None and (entry.id in amended or rules.is_erased(entry, values)) for _, entry, values in links
        )
        head = Head(links[-1][0].position, links[-1][0].digest)
    findings += [Finding(Flaw.NOT_SEALED, None, entry_id) for entry_id in await seals.list_untracked(BATCH_SIZE)]
    if known_head is not None and not await _has(seals, known_head, start=start):
        findings.append(Finding(Flaw.HEAD_DIFFERS, known_head.position, None))
    return Verdict(head, findings[:MAX_FINDINGS], await seals.count_unsealed(), erased)


async def _amended(seals: SealRepository) -> dict[UUID, set[str]]:
    """The digests of the contents that erasures have left in entries, of which none is the last: clocks may differ."""
    amended: defaultdict[UUID, set[str]] = defaultdict(set)
    for digests in await seals.list_amendments():
        for entry_id, digest in digests.items():
            amended[UUID(entry_id)].add(digest)
    return amended


async def _has(seals: SealRepository, head: Head, *, start: Head) -> bool:
    if head.position < start.position:
        message = f"must be at position {start.position} or later, because earlier entries are no longer kept"
        raise Invalid([Violation("HeadDropped", "head", message)])
    return head == start or await seals.find_digest(head.position) == head.digest


async def drop(work: UnitOfWork, *, before: datetime, size: int, now: datetime) -> int:
    """Drop up to `size` entries before this time from the beginning of the chain, and record their number.

    The last of their seals stays as the stub from which the chain is verified. Entries that do not match their seals
    are kept, and so are all after them. Returns the number of entries.
    """
    seals = SealRepository(work)
    start = await seals.find_start()
    # One more, because the last seal of a chain is never dropped.
    links = (await seals.list_links(after=start.position, size=size + 1))[:-1]
    old = list(takewhile(lambda link: link[1] is not None and link[1].at < before, links))
    # Erasures change the contents only of entries under the first rule.
    is_first = any(seal.rule == rules.FIRST_RULE for seal, *_ in old)
    if not old or any(rules.flaws(old, head=start, amended=await _amended(seals) if is_first else {})):
        return 0
    last = Head(old[-1][0].position, old[-1][0].digest)
    count = await seals.drop(last.position, now=now)
    after = {"entries": count, "last": last.text()}
    await audit.record(work, Change(action="Dropped", kind="AuditEntry", id=new_id(), after=after), now=now)
    return count


async def digest_contents(work: UnitOfWork, entry_ids: Sequence[UUID]) -> dict[str, str]:
    """The digests of the present contents of entries under the first rule, for the record of their erasure, by id."""
    entries = await SealRepository(work).list_under_first_rule(entry_ids)
    return {str(each.id): rules.content_digest(each) for each in entries}


def parse_head(text: str) -> Head:
    """Parse the text of a head; raises Invalid."""
    position, _, digest = text.partition(":")
    try:
        head = Head(int(position), bytes.fromhex(digest))
    except ValueError as error:
        raise Invalid([Violation("NotHead", "head", "must be POSITION:DIGEST, as printed by verify")]) from error
    return head
