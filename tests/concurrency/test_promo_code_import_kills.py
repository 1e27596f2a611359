"""An import adds all promo codes of a file or none, at whatever moment the process is killed."""

import asyncio
import signal
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path

import psycopg
import pytest
from tests.support import dying, factories
from tests.support.factories import Tenant
from tests.support.waiting import until

from tessera.api.serving.resources import Resources
from tessera.kit.imports.refusals import ImportRefused
from tessera.kit.imports.steps import Source
from tessera.promo_codes.imports import service
from tessera.provision import Addresses

COUNT = 5
# Before and after each of BEGIN, the exams, the used names, the codes, their restrictions, the audit entry and COMMIT.
LAST_MOMENT = 15


def file_of(count: int, prefix: str = "CODE") -> bytes:
    lines = [f"{prefix}{number},10,NCA-GENL" for number in range(count)]
    return "\n".join(["name,discountPercent,storeExamCodes", *lines]).encode()


def counts(superuser: psycopg.Connection, tenant: Tenant) -> tuple[int, ...]:
    """The numbers of promo codes, of their exams, and of audit entries."""
    row = superuser.execute(
        "select (select count(*) from promo_codes where organization_id = %(tenant)s),"
        " (select count(*) from promo_code_store_exams where organization_id = %(tenant)s),"
        " (select count(*) from audit_entries where organization_id = %(tenant)s and action = 'Imported')",
        {"tenant": tenant.id},
    ).fetchone()
    assert row is not None
    return row


async def test_a_command_killed_before_or_after_any_statement_has_imported_all_or_nothing(
    resources: Resources, addresses: Addresses, superuser: psycopg.Connection, tmp_path: Path
) -> None:
    file = tmp_path / "codes.csv"
    file.write_bytes(file_of(COUNT))
    for moment in range(LAST_MOMENT + 2):
        tenant = await factories.create_tenant(resources, now=datetime.now(UTC))
        arguments = ("promo-code", "import", str(file), "--organization", str(tenant.id))
        with dying.process_that_dies(
            dying.command, addresses.application, arguments, organization=tenant.id, at=moment
        ) as process:
            await until("the command ends", partial(dying.has_ended, process))
        # This process would die at a moment after the last one. It lives, so the moments above are all that exist.
        assert (moment, process.exitcode) == (moment, 0 if moment > LAST_MOMENT else -signal.SIGKILL)
        assert (moment, counts(superuser, tenant)) == (moment, (5, 5, 1) if moment >= LAST_MOMENT else (0, 0, 0))


async def test_of_two_imports_of_the_same_names_at_once_one_is_refused_whole(
    resources: Resources, superuser: psycopg.Connection, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LINES_PER_BATCH", 10)

    async def bring(content: bytes) -> object:
        try:
            async with resources.database.unit_of_work(tenant.id) as work:
                source = Source(BytesIO(content), "")
                imported = await service.import_file(work, source, dry_run=False, now=datetime.now(UTC))
                return imported.promo_codes
        except ImportRefused as refusal:
            return {(violation.code, violation.field) for line in refusal.lines for violation in line.violations}

    outcomes = await asyncio.gather(*(bring(file_of(100)) for _ in range(2)))
    assert sorted(outcomes, key=str) == [100, {("NameTaken", "name")}]
    assert counts(superuser, tenant) == (100, 100, 1)
