"""Write, restore and verify backups: files with a dump of the whole database and what a restore also needs."""

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import tessera
from tessera import provision, schema
from tessera.audit.seals import service as seals
from tessera.identity.organizations import service as organizations
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db import copies, diagnosis
from tessera.kit.db.connections import connected
from tessera.kit.db.copies import CannotCopy, Contents
from tessera.kit.db.database import Access, Database
from tessera.kit.db.roles import APPLICATION_ROLE, OWNER_ROLE
from tessera.kit.embedded_postgres import dumps
from tessera.kit.errors import Invalid
from tessera.persons.erasures import lists as erasure_list
from tessera.persons.erasures.lists import Applied, Erasures
from tessera.provision import Addresses, Roles
from tessera.redemptions.ledger import service as ledger
from tessera.reports import service as reports
from tessera.settings import ROLES, Settings

FORMAT = 1
MANIFEST, DUMP, KEYS = "manifest.json", "database.dump", "token_keys.json"
MAX_MANIFEST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """The description of a backup, from its manifest."""

    version: str
    created_at: str
    contents: Contents
    roles: Roles
    has_keys: bool


def write(settings: Settings, addresses: Addresses, output: IO[bytes], *, with_keys: bool, now: datetime) -> Backup:
    """Write a backup of the database at one moment, also while it is in use; raises CannotCopy."""
    with (
        copies.administering(addresses.owner) as connection,
        copies.snapshot(connection, lock=schema.MIGRATION_LOCK) as snapshot,
        zipfile.ZipFile(output, "w") as archive,  # without compression, because the dump is compressed
    ):
        contents, roles = copies.read_contents(connection, addresses.roles), addresses.roles
        about = {"format": FORMAT, "version": tessera.__version__, "createdAt": now.isoformat(), "roles": roles}
        archive.writestr(MANIFEST, json.dumps(about | asdict(contents), indent=2))
        if with_keys:
            archive.writestr(KEYS, json.dumps(settings.token_keys))
        with archive.open(DUMP, "w", force_zip64=True) as dump:
            dumps.dump(addresses.owner, dump, snapshot=snapshot, data=_data(settings))
    return Backup(
        version=tessera.__version__, created_at=now.isoformat(), contents=contents, roles=roles, has_keys=with_keys
    )


@contextmanager
def opened(file: IO[bytes] | Path) -> Iterator[tuple[zipfile.ZipFile, Backup]]:
    """An open backup and its description; raises CannotCopy."""
    try:
        with zipfile.ZipFile(file) as archive:
            backup = _read_manifest(archive)
            if backup.contents.revision > schema.latest_revision():
                raise CannotCopy(f"this version of Tessera cannot use a backup from version {backup.version}")
            if DUMP not in archive.namelist():
                raise CannotCopy("the backup is incomplete: it has no dump")
            yield archive, backup
    except OSError as error:
        raise CannotCopy(f"cannot read the backup: {error.strerror or error}") from error
    except (zipfile.BadZipFile, EOFError) as error:
        raise CannotCopy(f"the backup is damaged or incomplete: {error}") from error


def _read_manifest(archive: zipfile.ZipFile) -> Backup:
    try:
        with archive.open(MANIFEST) as file:
            about: Mapping[str, Any] = json.loads(file.read(MAX_MANIFEST_BYTES))
        if about["format"] != FORMAT:
            raise CannotCopy(
                f"this version of Tessera cannot read a backup from version {about['version']}; use that version"
            )
        settings = [(str(role), str(name), str(value)) for role, name, value in about["role_settings"]]
        contents = Contents(
            postgres=about["postgres"], revision=str(about["revision"]), rows=about["rows"], role_settings=settings
        )
        owner, application = about.get("roles", (OWNER_ROLE, APPLICATION_ROLE))
        return Backup(
            version=about["version"],
            created_at=about["createdAt"],
            contents=contents,
            roles=ROLES.validate_python((owner, application)),
            has_keys=KEYS in archive.namelist(),
        )
    # A RuntimeError is JSON that is nested too deep, or a member that is encrypted or compressed by an unknown method.
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CannotCopy("the file is not a backup of Tessera") from error


def keys_of(archive: zipfile.ZipFile) -> Mapping[str, str]:
    """The signing keys in a backup."""
    keys: dict[str, str] = json.loads(archive.read(KEYS))
    return keys


def restore(settings: Settings, addresses: Addresses, archive: zipfile.ZipFile, backup: Backup) -> None:
    """Restore a backup into an empty database: first the roles, then all data in one transaction.

    Raises CannotCopy; then the database is still empty.
    """
    if backup.roles != addresses.roles:  # its policies and rights name the roles
        owner, application = backup.roles
        raise CannotCopy(
            f"the backup needs the roles {owner} and {application}:"
            " set TESSERA_OWNER_ROLE and TESSERA_APPLICATION_ROLE to these names"
        )
    with (
        schema.with_roles(addresses.owner, addresses.application),
        copies.administering(addresses.owner) as connection,
    ):
        if tables := copies.list_tables(connection):
            raise CannotCopy(f"the database is not empty, and is left as it is: it has {len(tables)} tables")
        with archive.open(DUMP) as dump:
            dumps.restore(addresses.owner, dump, data=_data(settings), major=copies.major_version(connection))
        copies.complete(connection, backup.contents.role_settings)
        restored = copies.read_contents(connection, addresses.roles)
        if restored.rows != backup.contents.rows:
            raise CannotCopy("the restored database lacks rows of the backup, or has more; do not use it")


def read_erasures(file: Path) -> Erasures:
    """The list of erasures in a file; raises CannotCopy."""
    try:
        return erasure_list.parse(json.loads(file.read_bytes()))
    except OSError as error:
        raise CannotCopy(f"cannot read the list of erasures: {error.strerror or error}") from error
    # A RecursionError is JSON that is nested too deep.
    except (ValueError, RecursionError, Invalid) as error:
        raise CannotCopy(f"{file} is not a list of `tessera person erasures`") from error


def erase_again(addresses: Addresses, erasures: Erasures, *, now: datetime) -> Applied:
    """Migrate a restored database, and erase the listed persons in it.

    An interrupted run can be repeated with `tessera person erase-again`.
    """
    schema.migrate(addresses.owner, addresses.application)
    return asyncio.run(_erase_again(addresses.application, erasures, now=now))


async def _erase_again(url: str, erasures: Erasures, *, now: datetime) -> Applied:
    database = Database(url, pool_size=1)
    try:
        return await erasure_list.apply(database, erasures, now=now)
    finally:
        await database.close()


def verify(settings: Settings, archive: zipfile.ZipFile, backup: Backup) -> list[str]:
    """Restore a backup into a temporary server, and check its data; returns a line for each fault.

    Raises CannotCopy if it cannot be restored. TMPDIR needs room for the database.
    """
    with TemporaryDirectory(prefix="tessera-trial-") as directory:
        # In the archive of the real server, the files of the trial would take the names of its later files.
        others = dict.fromkeys(("database_url", "owner_database_url", "archive_dir"))
        changes = {"data_dir": Path(directory), **others}
        roles = dict(zip(("owner_role", "application_role"), backup.roles, strict=True))
        trial = settings.model_copy(update=changes | roles)
        with provision.database(trial) as addresses:
            restore(trial, addresses, archive, backup)
            schema.migrate(addresses.owner, addresses.application)  # the backup may be one of an older version
            with connected(addresses.application, seconds=60) as connection:
                found = diagnosis.read_schema(connection)
            open_tables = found.open_tables if found else ["all"]
            return [f"{table}: has no row-level security" for table in open_tables] + asyncio.run(
                recount(addresses.application)
            )


async def recount(url: str) -> list[str]:
    """Recount the ledger, the reports and the seals of every organization; returns a line for each discrepancy."""
    database = Database(url, pool_size=1)
    try:
        return [line async for line in _recount(database)]
    finally:
        await database.close()


async def _recount(database: Database) -> AsyncIterator[str]:
    async with database.unit_of_work(PLATFORM_ID) as work:
        rows = await organizations.list_all(work)
    for organization in rows:
        async with database.unit_of_work(organization.id, access=Access.SNAPSHOT) as work:
            discrepancies = [*(await ledger.verify(work)).discrepancies, *await reports.list_discrepancies(work)]
            for each in discrepancies:
                yield f"{organization.name}: {each.kind} {each.name} has {each.stored}, the ledger {each.recounted}"
            for flaw in (await seals.verify(work)).findings:
                yield f"{organization.name}: audit entry {flaw.entry_id} at position {flaw.position}: {flaw.flaw}"


def _data(settings: Settings) -> Path | None:
    """The directory of the embedded server, unless the database is external."""
    return None if settings.database_url else settings.data_dir / "postgres"
