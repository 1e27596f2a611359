"""The audit log: every change with who made it, in the transaction of the change itself."""

from collections.abc import Sequence
from datetime import datetime

from tessera.audit.repository import AuditRepository
from tessera.audit.rules import Action, Change
from tessera.kit.database import UnitOfWork

__all__ = ["Action", "Change", "record", "record_all"]


async def record(work: UnitOfWork, change: Change, *, now: datetime) -> None:
    """Record a change by the actor of this unit of work; it commits or rolls back with the change."""
    await AuditRepository(work).add([change], now=now)


async def record_all(work: UnitOfWork, changes: Sequence[Change], *, now: datetime) -> None:
    """Record many changes."""
    await AuditRepository(work).add(changes, now=now)
