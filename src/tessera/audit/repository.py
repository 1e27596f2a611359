"""Statements on the audit log of one tenant."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert

from tessera.audit import rules
from tessera.audit.models import AuditEntry, AuditUnsealed
from tessera.audit.rules import Change
from tessera.kit.database import UnitOfWork
from tessera.kit.identifiers import new_id

# Each entry has thirteen parameters, and a statement at most 65,535.
AT_ONCE = 1000


class AuditRepository:
    """The log of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._actor = work.actor

    async def add(self, changes: Sequence[Change], *, now: datetime) -> None:
        """Add an entry for each change, together with its place among those that wait for a seal."""
        for first in range(0, len(changes), AT_ONCE):
            rows = [self._row(change, now=now) for change in changes[first : first + AT_ONCE]]
            waiting = [{"organization_id": self._organization_id, "entry_id": row["id"]} for row in rows]
            entries = insert(AuditEntry).values(rows).cte("entries")
            await self._connection.execute(insert(AuditUnsealed).values(waiting).add_cte(entries))

    def _row(self, change: Change, *, now: datetime) -> dict[str, object]:
        return {
            "organization_id": self._organization_id,
            "id": new_id(),
            "at": now,
            "actor_kind": self._actor.kind,
            "actor_id": self._actor.id,
            "actor_name": self._actor.name,
            "action": change.action,
            "entity_kind": change.kind,
            "entity_id": change.id,
            "before": rules.recorded(change.before),
            "after": rules.recorded(change.after),
        }
