"""Promo codes on the command line."""

import json
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from tests.cli.conftest import Run
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.management_requests import audit_entries_of

from tessera.api.serving.resources import Resources


@pytest.fixture
async def shop(resources: Resources) -> Tenant:
    return await factories.create_tenant(resources, now=datetime.now(UTC))


async def test_a_code_lives_its_whole_life(run: Run, shop: Tenant, superuser: psycopg.Connection) -> None:
    here = ("--organization", shop.name, "--json")

    def result(*arguments: str) -> dict[str, object]:
        ended = run("promo-code", *arguments, *here)
        assert ended.returncode == 0, ended.stderr
        return dict(json.loads(ended.stdout))

    exams, dates = (
        ("--exam", "NCA-GENL", "--exam", "CLD-100"),
        ("--starts", "2029-12-01", "--expires", "2030-01-01", "--campaign", "Spring", "--metadata", "order=A=1"),
    )
    outcome = result("create", "SPRING10", "--percent", "10", *exams, "--max-redemptions", "5", *dates)
    assert (outcome["status"], outcome["storeExamCodes"], outcome["expiresAt"]) == (
        "Inactive",
        ["NCA-GENL", "CLD-100"],
        "2030-01-01T00:00:00Z",
    )
    assert (outcome["startsAt"], outcome["metadata"]) == ("2029-12-01T00:00:00Z", {"order": "A=1"})
    assert [code["id"] for code in json.loads(run("promo-code", "list", *here, "--metadata", "order=A=1").stdout)] == [
        outcome["id"]
    ]
    edited = result(
        "edit",
        "spring10",
        "--notes",
        "For spring",
        "--clear",
        "store-exam-codes",
        "--clear",
        "expires-at",
        "--metadata",
        "note=x",
    )
    assert (edited["notes"], edited["storeExamCodes"], edited["expiresAt"]) == ("For spring", [], None)
    assert (edited["discountPercent"], edited["maxRedemptions"], edited["metadata"]) == (10, 5, {"note": "x"})
    flat = result("edit", "spring10", "--flat", "12.50")
    assert (flat["discountPercent"], flat["flatDiscount"], flat["notes"]) == (None, 12.5, "For spring")
    assert [result("activate", "SPRING10")["version"], result("deactivate-campaign", "SPRING")] == [
        4,
        {"campaign": "SPRING", "promoCodes": 1},
    ]
    moves = (("activate",), ("deactivate",), ("archive", "--yes"))
    assert [result(move, "SPRING10", *yes)["status"] for move, *yes in moves] == [
        "Active",
        "Inactive",
        "Archived",
    ]
    assert result("show", str(outcome["id"]))["version"] == 8
    listed = json.loads(run("promo-code", "list", *here, "--status", "Archived", "--campaign", "spring").stdout)
    assert [code["name"] for code in listed] == ["SPRING10"]
    entries = audit_entries_of(superuser, shop, "PromoCode")
    assert [entry[2] for entry in entries] == [
        "Created",
        "Updated",
        "Updated",
        "Activated",
        "Activated",
        "Deactivated",
        "Archived",
    ]
    assert {entry[0] for entry in entries} == {"CommandLine"}


def test_lists_are_newest_first_and_say_when_there_are_more(run: Run, shop: Tenant) -> None:
    here = ("--organization", shop.name, "--json")
    for name, *bundle in (("SPRING2",), ("SPRING1",), ("WINTER", "--bundle", "BUNDLE")):
        run("promo-code", "create", name, "--percent", "10", *bundle, *here)

    def listed(*arguments: str) -> tuple[list[str], str]:
        ended = run("promo-code", "list", *arguments, *here)
        return [code["name"] for code in json.loads(ended.stdout)], ended.stderr

    names, more = listed("--limit", "2")
    assert (names, more.startswith("There are more records: add --cursor ")) == (["WINTER", "SPRING1"], True)
    assert listed("--cursor", more.split()[-1]) == (["SPRING2"], "")
    assert listed("--search", "spring") == (["SPRING1", "SPRING2"], "")
    assert listed("--bundle", "bundle") == (["WINTER"], "")


async def test_everything_that_is_wrong_is_one_line_each(run: Run, shop: Tenant) -> None:
    here = ("--organization", shop.name)
    ended = run("promo-code", "create", "no!", "--percent", "ten", "--max-redemptions", "0", *here)
    assert (ended.returncode, ended.stderr.splitlines()) == (
        1,
        [
            "tessera: --percent must be a whole number",
            "tessera: NAME must be alphanumeric (A-Z, a-z, 0-9)",
            "tessera: --max-redemptions must be between 1 and 1,000,000,000",
        ],
    )
    ended = run("promo-code", "edit", "none", "--clear", "name", *here)
    assert ended.stderr.startswith("tessera: --clear must be one of store-exam-codes, ")
    ended = run("promo-code", "show", "none", *here)
    assert (ended.returncode, ended.stderr) == (1, "tessera: There is no such promo code.\n")


async def test_a_batch_is_made_and_exported_and_imported_again(
    run: Run, shop: Tenant, other_tenant: Tenant, tmp_path: Path
) -> None:
    here = ("--organization", shop.name)
    pattern = ("--quantity", "25", "--length", "8", "--flat", "2.50")
    result = json.loads(run("promo-code", "batch", "create", *pattern, *here, "--json").stdout)
    assert (result["status"], result["made"], result["progressPercent"]) == ("Complete", 25, 100)
    waiting = json.loads(run("promo-code", "batch", "create", *pattern, "--background", *here, "--json").stdout)
    cancelled = json.loads(run("promo-code", "batch", "cancel", waiting["id"], *here, "--json").stdout)
    assert (waiting["made"], cancelled["status"]) == (0, "Cancelled")
    assert run("promo-code", "batch", "resume", waiting["id"], *here).returncode == 0
    listed = json.loads(run("promo-code", "batch", "list", *here, "--json").stdout)
    assert [(batch["id"], batch["made"]) for batch in listed] == [(waiting["id"], 25), (result["id"], 25)]

    file = tmp_path / "codes.csv"
    assert run("promo-code", "export", str(file), "--batch", result["id"], *here).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    to_stdout = run("promo-code", "export", "-", "--batch", result["id"], *here)
    assert to_stdout.stdout.encode() == file.read_bytes().replace(b"\r\n", b"\n")
    there = ("--organization", other_tenant.name)
    looked = run("promo-code", "import", "-", "--dry-run", *there, "--json", stdin=str(file))
    assert json.loads(looked.stdout) == {"promoCodes": 25, "isDryRun": True}
    brought = run("promo-code", "import", str(file), *there, "--json")
    assert json.loads(brought.stdout) == {"promoCodes": 25, "isDryRun": False}
    lines = run("promo-code", "import", str(file), *there).stderr.splitlines()
    assert lines[-26].startswith("tessera: line 2: name must be unique, and '")
    assert lines[-1] == "tessera: Bad lines in all: 25. Nothing was imported."
    again = run("promo-code", "import", str(file), "--update", *there, "--json").stdout
    assert json.loads(again) == {"promoCodes": 25, "changed": 0, "isDryRun": False}


def test_an_export_replaces_neither_links_nor_devices(run: Run, shop: Tenant, tmp_path: Path) -> None:
    link, target = tmp_path / "link.csv", tmp_path / "target.csv"
    link.symlink_to(target)
    for path in (link, Path("/dev/null"), tmp_path):
        ended = run("promo-code", "export", str(path), "--organization", shop.name)
        reason = "it is not a regular file; use - for standard output"
        assert (ended.returncode, ended.stderr) == (1, f"tessera: cannot write {path}: {reason}\n")
    nowhere = run("promo-code", "export", str(tmp_path / "none" / "codes.csv"), "--organization", shop.name)
    assert nowhere.stderr.endswith("codes.csv: No such file or directory\n")
    assert sorted(tmp_path.iterdir()) == [link]


def test_the_export_of_another_vendor_is_imported(run: Run, shop: Tenant, tmp_path: Path) -> None:
    file = tmp_path / "stripe.csv"
    file.write_text("code,coupon.percent_off,max_redemptions,times_redeemed\nSTRIPE10,10,100,99\n")
    command = ("promo-code", "import", str(file), "--organization", shop.name, "--json")
    assert json.loads(run(*command, "--from", "stripe").stdout) == {"promoCodes": 1, "isDryRun": False}
    assert run(*command, "--from", "recurly").returncode == 2
