"""The move of the embedded database to a newer major version of Postgres, by a dump and a restore."""

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile

from tessera import backup as backups
from tessera import provision
from tessera.backup import Backup
from tessera.kit.embedded_postgres.upgrades import Upgrade
from tessera.settings import Settings


def upgrade(settings: Settings, *, now: datetime) -> tuple[Path, Backup | None]:
    """Restore a dump of the embedded database into a new server of the newest version.

    Returns the directory that keeps the old database, and what was restored; nothing, if an earlier attempt was killed
    after that. Raises CannotUpgrade, NoUsablePrograms, CannotCopy or EmbeddedPostgresError; then the old database is in
    its place.
    """
    attempt = Upgrade(settings.data_dir.expanduser().resolve())
    with attempt.alone():
        if attempt.is_killed_at_its_end:
            return attempt.keep_old(), None
        with attempt.database_aside():
            copied = _copy(settings, attempt, now=now)
            attempt.put_in_place()
        return attempt.keep_old(), copied


def _copy(settings: Settings, attempt: Upgrade, *, now: datetime) -> Backup:
    old, new = (settings.model_copy(update={"data_dir": path}) for path in (attempt.aside, attempt.fresh))
    with TemporaryFile(dir=attempt.fresh) as file:
        with provision.database(old) as addresses:
            backups.write(old, addresses, file, with_keys=False, now=now)
        with backups.opened(file) as (archive, backup), provision.database(new) as addresses:
            backups.restore(new, addresses, archive, backup)
            return backup
