"""What is sold, by command."""

import json
from typing import Any

import pytest
from tests.cli.conftest import Run
from tests.support.factories import Tenant


def read(run: Run, *arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_exam_lives_its_whole_life(run: Run, tenant: Tenant) -> None:
    organization = ("--organization", tenant.name)
    made = read(run, "exam", "create", "SEC-200", *organization, "--name", "Security", "--price", "320.5")
    expected = {"id": made["id"], "code": "SEC-200", "name": "Security", "price": "320.50", "status": "Active"}
    assert made == expected
    changed = read(run, "exam", "update", "sec-200", *organization, "--name", "Safety", "--price", "0")
    expected |= {"name": "Safety", "price": "0.00"}
    assert changed == expected
    assert read(run, "exam", "archive", "SEC-200", *organization) == expected | {"status": "Archived"}
    assert read(run, "exam", "activate", "SEC-200", *organization) == expected
    assert read(run, "exam", "list", *organization)[-1] == expected


def test_a_bundle_lives_its_whole_life(run: Run, tenant: Tenant) -> None:
    organization = ("--organization", tenant.name)
    what = ("--name", "Starter", "--price", "480", "--exam", "ncp-ads")
    made = read(run, "bundle", "create", *organization, *what, "--exam", "NCA-GENL")
    expected = {
        "id": made["id"],
        "name": "Starter",
        "price": "480.00",
        "exams": "NCA-GENL NCP-ADS",
        "status": "Active",
    }
    assert made == expected
    expected["exams"] = "NCP-ADS"
    assert read(run, "bundle", "update", made["id"], *organization, *what) == expected
    assert read(run, "bundle", "archive", made["id"], *organization)["status"] == "Archived"
    assert read(run, "bundle", "activate", made["id"], *organization) == expected
    assert read(run, "bundle", "list", *organization)[-1] == expected


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["exam", "archive", "NONE"], "There is no store exam NONE."),
        (["exam", "activate", "CLD-100"], "The store exam is Active."),
        (["exam", "create", "X", "--name", "N", "--price", "much"], "price must be a number: much"),
        (["exam", "create", "cld-100", "--name", "N", "--price", "1"], "code must be unique, and 'cld-100' is taken"),
        (
            ["bundle", "create", "--name", "N", "--price", "1", "--exam", "NONE"],
            "store-exam-codes/0 must name a store exam that is on sale",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(run: Run, tenant: Tenant, arguments: list[str], line: str) -> None:
    done = run(*arguments, "--organization", tenant.name)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"tessera: {line}\n")
