"""The times when API keys were last used, collected in memory and written in the background."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from tessera.identity.authentication.credentials import CredentialName
from tessera.identity.keys import service
from tessera.kit.db.database import Database
from tessera.kit.db.passes import Progress, run_pass
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import DatabaseUnavailable

# The minimum time between two writes for one key, across all processes.
WRITE_INTERVAL = timedelta(minutes=5)
FLUSH_SECONDS = 30

log = structlog.get_logger(__name__)


class KeyUses:
    """Uses of keys that this process has not written yet; a crash loses those of the last minutes."""

    def __init__(self) -> None:
        self._pending: dict[CredentialName, datetime] = {}
        self._written: dict[CredentialName, datetime] = {}

    def note(self, key: CredentialName, *, now: datetime) -> None:
        """Note a use of a key whose secret was valid."""
        written = self._written.get(key)
        if written is None or now - written >= WRITE_INTERVAL:
            self._pending[key] = now

    async def flush(self, database: Database) -> None:
        """Write the pending uses; unwritten uses stay pending after an error."""
        by_organization: dict[UUID, dict[UUID, datetime]] = defaultdict(dict)
        self._forget_old_writes()
        for key, at in self._pending.items():
            by_organization[key.organization_id][key.id] = at

        async def write(work: UnitOfWork, group: Sequence[UUID]) -> dict[UUID, Progress]:
            await service.note_uses(work, {each: by_organization[each] for each in group}, interval=WRITE_INTERVAL)
            return {each: Progress(len(by_organization[each])) for each in group}

        for organization_id in await run_pass(database, list(by_organization), write, task="uses of keys"):
            for key_id, at in by_organization[organization_id].items():
                name = CredentialName(organization_id, key_id)
                self._written[name] = at
                if self._pending.get(name) == at:  # otherwise the key was used again during the write
                    del self._pending[name]

    def _forget_old_writes(self) -> None:
        # A write that is older than the interval no longer prevents the next one, so it need not be remembered.
        if self._pending:
            newest = max(self._pending.values())
            self._written = {key: at for key, at in self._written.items() if newest - at < WRITE_INTERVAL}

    @asynccontextmanager
    async def flushing(self, database: Database) -> AsyncIterator[None]:
        """Write every 30 seconds while the block runs, and once at its end."""
        task = asyncio.create_task(self._keep_flushing(database))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            await self._flush_or_warn(database)

    async def _keep_flushing(self, database: Database) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self._flush_or_warn(database)

    async def _flush_or_warn(self, database: Database) -> None:
        try:
            await self.flush(database)
        except DatabaseUnavailable as error:
            log.warning("uses of keys not written", error=str(error))
