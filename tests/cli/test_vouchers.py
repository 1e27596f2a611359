"""Vouchers on the command line: from the first partner to an assigned voucher."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from tests.cli.conftest import Run
from tests.support.factories import Tenant
from tests.support.management_requests import audit_entries_of
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, run_jobs, voucher

from tessera.api.serving.resources import Resources
from tessera.provision import Addresses
from tessera.vouchers.rules import PurchaseStatus


class Shell:
    """Commands in one organization."""

    def __init__(self, run: Run, tenant: Tenant) -> None:
        self._run = run
        self._organization = ("--organization", tenant.name)

    def read(self, *arguments: str, status: int = 0, warning: str = "") -> Any:
        """The result of a command with --json."""
        result = self._run(*arguments[:2], *self._organization, *arguments[2:], "--json")
        assert (result.returncode, result.stderr) == (status, warning)
        return json.loads(result.stdout)

    def fail(self, *arguments: str) -> str:
        """The message of a command that fails."""
        result = self._run(*arguments[:2], *self._organization, *arguments[2:])
        assert (result.returncode, result.stdout) == (1, "")
        return result.stderr


WITHOUT_WORKER = "No worker is running: the job waits until `tessera worker` or `tessera serve` runs.\n"
PROGRAM = ("--exam", "nca-genl", "--cost", "99.50", "--tier", "10:5", "--tier", "50:12.5", "--prefix", "PRO-")
TEXTS = ("--metadata", "order=1")
LONGER = ("--to-all", "--days", "3650", *TEXTS)
BUYER = ("--first-name", "Grace", "--last-name", "Hopper", "--email", "grace@example.com")


def test_a_partner_and_its_users_live_their_lives(run: Run, tenant: Tenant) -> None:
    shell = Shell(run, tenant)
    partner = shell.read("partner", "create", "Acme Corp", "--active")
    assert (partner["name"], partner["status"], partner["version"]) == ("Acme Corp", "Active", 1)
    assert shell.read("partner", "rename", "ACME corp", "Acme")["name"] == "Acme"
    assert [each["name"] for each in shell.read("partner", "list", "--status", "active")] == ["Acme"]
    assert shell.read("partner", "show", "ACME") == shell.read("partner", "show", partner["id"])
    assert shell.read("partner", "show", "acme") == partner | {"name": "Acme", "version": 2}

    invited = shell.read("partner", "invite", "Acme", *BUYER)
    statuses = [
        shell.read("partner", move, "Acme", "--email", "grace@example.com", *yes)["status"]
        for move, *yes in (("accept-user",), ("activate-user",), ("deactivate-user", "--yes"))
    ]
    assert [invited["status"], *statuses] == ["Invited", "Accepted", "Active", "Inactive"]
    assert [each["status"] for each in shell.read("partner", "users", "Acme")] == ["Inactive"]


@pytest.fixture
def no_workers(superuser: psycopg.Connection) -> None:
    """Remove workers that other tests have killed, which count as running until their heartbeats are old."""
    superuser.execute("delete from procrastinate_workers")


@pytest.mark.usefixtures("no_workers")
async def test_a_partner_is_brought_to_its_vouchers(
    run: Run,
    resources: Resources,
    addresses: Addresses,
    tenant: Tenant,
    superuser: psycopg.Connection,
) -> None:
    shell = Shell(run, tenant)
    shell.read("partner", "create", "Acme", "--active")
    program = shell.read("program", "create", "Professional", *PROGRAM, "--partner", "acme", "--active")
    assert [program[field] for field in ("tiers", "partners")] == [["10:5.00", "50:12.50"], ["Acme"]]
    assert shell.read("program", "update", "professional", *LONGER)["isAvailableToAllPartners"]
    assert [each["version"] for each in shell.read("program", "list", "--name", "PROF", "--metadata", "order=1")] == [2]

    bought = ("--partner", "Acme", "--program", "Professional", *BUYER)
    lost = shell.read("purchase", "order", *bought, "--quantity", "1")["code"]
    assert shell.read("purchase", "cancel", lost, "--yes")["status"] == "CheckoutCancelled"
    assert shell.read("purchase", "archive", lost, "--yes")["isArchived"] is True
    purchase = shell.read("purchase", "order", *bought, *TEXTS, "--quantity", "50")
    assert (purchase["status"], purchase["amount"]) == ("CheckoutInProgress", 4353.13)
    paid = shell.read("purchase", "pay", purchase["code"].lower(), warning=WITHOUT_WORKER)
    assert (paid["status"], paid["amountPaid"]) == ("VoucherCreation", 4353.13)
    await run_jobs(addresses.application, resources)
    assert [each["status"] for each in shell.read("purchase", "list", *TEXTS, "--status", "complete")] == ["Complete"]

    code, *others = [each["code"] for each in shell.read("voucher", "list", "--purchase", purchase["code"], "--reveal")]
    assert (len(others), shell.read("voucher", "list", *TEXTS)) == (49, [])
    (assigned,) = shell.read("voucher", "assign", code.lower(), "--to", "ada@example.com")
    assert assigned == {"code": code, "isDone": True, "reason": None, "version": 2}
    (listed,) = shell.read("voucher", "list", "--recipient", "ADA@example.com", "--reveal")
    assert (
        shell.read("voucher", "show", code.lower(), "--reveal").items()
        >= (listed | {"code": code, "usedAt": None}).items()
    )
    archived = shell.read("voucher", "archive", code, "NONE", "--yes", status=1)
    assert [each["reason"] for each in archived] == [None, "does not exist"]
    assert {entry[0] for entry in audit_entries_of(superuser, tenant, "Voucher")} == {"CommandLine"}


@pytest.mark.usefixtures("no_workers")
async def test_a_job_that_no_worker_does_is_reported(
    run: Run, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    partner, program = await add_partner(resources, tenant, "Acme"), await add_program(resources, tenant, "Open")
    await add_purchase(resources, tenant, partner, program, "VP-1", status=PurchaseStatus.VOUCHER_CREATION)
    shell = Shell(run, tenant)
    retried = shell.read("purchase", "retry", "VP-1", warning=WITHOUT_WORKER)
    (worker,) = superuser.execute("insert into procrastinate_workers default values returning id").fetchone() or ()
    assert shell.read("purchase", "retry", "VP-1") == retried
    superuser.execute("delete from procrastinate_workers where id = %s", [worker])


def test_a_program_is_shown_with_all_that_it_has(run: Run, tenant: Tenant) -> None:
    shell = Shell(run, tenant)
    shell.read("partner", "create", "Acme")
    program = shell.read("program", "create", "Professional", *PROGRAM, "--partner", "acme", "--zero-price")
    shown = shell.read("program", "show", "PROFESSIONAL")
    assert shown == program | {
        "emailDomains": [],
        "canAssignedPartnersPurchaseZeroPrice": True,
        "enforceAssignedEmail": False,
        "voucherCodePrefix": "PRO-",
        "expirationPeriodInDays": 365,
        "allowAchPayments": False,
        "metadata": None,
        "createdAt": shown["createdAt"],
    }
    assert shell.read("program", "show", program["id"]) == shown
    cleared = shell.read("program", "update", "professional", "--clear", "tiers", "--clear", "partners")
    assert shell.read("program", "show", "professional") == shown | {
        "tiers": [],
        "partners": [],
        "version": cleared["version"],
    }


def test_what_cannot_be_done_is_reported_item_by_item(run: Run, tenant: Tenant) -> None:
    shell = Shell(run, tenant)
    assert shell.fail("partner", "activate", "Nobody") == "tessera: There is no voucher partner Nobody.\n"
    assert shell.fail("voucher", "show", "NONE") == "tessera: There is no voucher NONE.\n"
    assert shell.fail("voucher", "show", str(UUID(int=7))) == "tessera: There is no such voucher.\n"
    assert shell.fail("program", "create", "P", "--exam", "NONE", "--cost", "-1") == (
        "tessera: --cost must be between 0 and 9,999,999,999.99\ntessera: --exam must be a known store exam: 'NONE'\n"
    )
    assert shell.fail("program", "create", "P", "--exam", "CLD-100", "--cost", "1", "--tier", "x:5") == (
        "tessera: --tier must be QUANTITY:PERCENT, such as 10:5: x:5\n"
    )
    assert shell.fail("program", "create", "P", "--exam", "CLD-100", "--cost", "x") == (
        "tessera: --cost must be a number: x\n"
    )
    assert shell.fail("voucher", "change-expiry", "X", "--expires-at", "soon") == (
        "tessera: --expires-at must be an ISO 8601 date and time: soon\n"
    )
    assert shell.fail("voucher", "assign", "X", "--to", "nobody") == ("tessera: --to must be a valid e-mail address\n")


async def test_the_vouchers_of_a_purchase_are_handed_out_from_a_file(
    run: Run, tenant: Tenant, resources: Resources, tmp_path: Path
) -> None:
    partner, program = await add_partner(resources, tenant, "Acme"), await add_program(resources, tenant, "Open")
    purchase = await add_purchase(resources, tenant, partner, program, "VP-1")
    await add_vouchers(resources, tenant, *(voucher(purchase, partner, f"FREE{number}") for number in range(2)))
    file, shell = tmp_path / "people.csv", Shell(run, tenant)
    file.write_text('\ufeffemail;name\n"ada@example.com";Ada\n\ngrace@example.com;Grace\n')
    expected = [
        {"recipientEmail": f"{name}@example.com", "code": f"FREE{number}", "isNew": True}
        for number, name in enumerate(("ada", "grace"))
    ]
    assert shell.read("purchase", "assign", "vp-1", str(file), "--dry-run", "--reveal") == expected
    masked = [each | {"code": "****"} for each in expected]
    assert shell.read("purchase", "assign", "vp-1", str(file)) == masked
    assert shell.read("purchase", "assign", "vp-1", str(file)) == [each | {"isNew": False} for each in masked]
    other = await add_purchase(resources, tenant, partner, program, "VP-2")
    await add_vouchers(resources, tenant, voucher(other, partner, "OTHER"))
    file.write_text("bob@example.com\n")
    (assigned,) = shell.read("purchase", "assign", "vp-1", str(file), "--then", "vp-2", "--reveal")
    assert assigned["code"] == "OTHER"
    many = ["--then", "vp-2"] * 51
    words = "tessera: --then must be a list of at most 50 UUIDs\n"
    assert shell.fail("purchase", "assign", "vp-1", str(file), *many) == words
    file.write_text("email\n\nbob@example.com\nnobody\nno@one@\n")
    bad_lines = [f"tessera: line {number}: the address must be a valid e-mail address\n" for number in (4, 5)]
    assert shell.fail("purchase", "assign", "vp-1", str(file)) == "".join(bad_lines)


async def test_vouchers_from_elsewhere_are_imported_from_a_file(
    run: Run, resources: Resources, tenant: Tenant, tmp_path: Path
) -> None:
    await add_partner(resources, tenant, "Acme")
    await add_program(resources, tenant, "Open")
    file = tmp_path / "vouchers.csv"
    file.write_text("code,usedAt\nOLD-1,2026-01-01\nOLD-2,\n")
    command = ("voucher", "import", str(file), "--partner", "acme", "--program", "open", "--organization", tenant.name)
    expected = {"vouchers": 2, "used": 1, "voucherPurchaseIds": [], "isDryRun": True}
    assert json.loads(run(*command, "--dry-run", "--json").stdout) == expected
    assert len(json.loads(run(*command, "--json").stdout)["voucherPurchaseIds"]) == 1
    assert run(*command).stderr.splitlines()[-4:] == [
        "tessera: line 2: code must be unique, and 'OLD-1' is taken",
        "tessera: line 2: reservationCode must be unique, and 'IMPORTED-OLD-1' is taken",
        "tessera: line 3: code must be unique, and 'OLD-2' is taken",
        "tessera: Bad lines in all: 2. Nothing was imported.",
    ]
    assert run("ledger", "verify", "--organization", tenant.name).returncode == 0
