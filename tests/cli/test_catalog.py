"""The catalog on the command line."""

import json
from typing import Any

import pytest
from tests.cli.conftest import Run
from tests.support.factories import Tenant


def read(run: Run, *arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_an_exam_lives_its_whole_life(run: Run, tenant: Tenant) -> None:
    organization = ("--organization", tenant.name)
    result = read(run, "exam", "create", "SEC-200", *organization, "--name", "Security", "--price", "320.5")
    expected = {"id": result["id"], "code": "SEC-200", "name": "Security", "price": 320.5, "status": "Active"}
    assert result == expected
    changed = read(run, "exam", "update", "sec-200", *organization, "--name", "Safety", "--price", "0")
    expected |= {"name": "Safety", "price": 0.0}
    assert changed == expected
    assert read(run, "exam", "archive", "SEC-200", *organization) == expected | {"status": "Archived"}
    assert read(run, "exam", "activate", "SEC-200", *organization) == expected
    assert read(run, "exam", "list", *organization)[0] == expected


def test_a_bundle_lives_its_whole_life(run: Run, tenant: Tenant) -> None:
    organization = ("--organization", tenant.name)
    what = ("--name", "Starter", "--price", "480", "--exam", "ncp-ads")
    result = read(run, "bundle", "create", *organization, *what, "--exam", "NCA-GENL")
    expected = {
        "id": result["id"],
        "name": "Starter",
        "price": 480.0,
        "storeExamCodes": ["NCA-GENL", "NCP-ADS"],
        "status": "Active",
    }
    assert result == expected
    expected["storeExamCodes"] = ["NCP-ADS"]
    assert read(run, "bundle", "update", "STARTER", *organization, *what) == expected
    assert read(run, "bundle", "archive", result["id"], *organization)["status"] == "Archived"
    assert read(run, "bundle", "activate", result["id"], *organization) == expected
    assert read(run, "bundle", "list", *organization)[0] == expected


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["exam", "archive", "NONE"], "There is no store exam NONE."),
        (["exam", "activate", "CLD-100"], "The store exam is Active."),
        (["exam", "create", "X", "--name", "N", "--price", "much"], "--price must be a number: much"),
        (["exam", "create", "cld-100", "--name", "N", "--price", "1"], "CODE must be unique, and 'cld-100' is taken"),
        (
            ["bundle", "create", "--name", "N", "--price", "1", "--exam", "NONE"],
            "--exam must name a store exam that is on sale",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(run: Run, tenant: Tenant, arguments: list[str], line: str) -> None:
    result = run(*arguments, "--organization", tenant.name)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", f"tessera: {line}\n")
