"""Habits that a tool can see: sizes, imports, and who ends a transaction."""

import ast
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from statistics import median

import pytest

import tessera

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "tessera"
FILES = sorted(SOURCES.rglob("*.py"))
# Who may end a transaction: the unit of work, and what prepares a database before anything serves.
COMMITS = {"kit/db/database.py", "schema.py", "provision.py"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(file: Path) -> str:
    return file.relative_to(SOURCES).as_posix()


def nodes(file: Path) -> Iterator[ast.AST]:
    yield from ast.walk(ast.parse(file.read_text()))


def lengths(file: Path) -> Iterator[tuple[str, int]]:
    for node in nodes(file):
        if isinstance(node, Function):
            yield f"{name_of(file)}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def test_the_files_here_are_those_that_run() -> None:
    assert Path(tessera.__file__).parent == SOURCES
    assert len(FILES) > 50


def test_no_file_has_more_than_300_lines() -> None:
    long = {name_of(file): count for file in FILES if (count := len(file.read_text().splitlines())) > 300}
    assert long == {}


def test_no_function_has_more_than_50_lines() -> None:
    assert {name: count for file in FILES for name, count in lengths(file) if count > 50} == {}


def test_nine_functions_in_ten_have_at_most_30_lines_and_half_of_them_ten() -> None:
    counts = sorted(count for file in FILES for _, count in lengths(file))
    assert counts[len(counts) * 9 // 10] <= 30
    assert median(counts) <= 10


def test_no_import_is_relative() -> None:
    relative = [
        f"{name_of(file)}:{node.lineno}"
        for file in FILES
        for node in nodes(file)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_only_a_unit_of_work_ends_a_transaction() -> None:
    ending = {
        name_of(file)
        for file in FILES
        for node in nodes(file)
        if isinstance(node, ast.Attribute) and node.attr in ("commit", "rollback", "begin", "begin_nested")
    }
    assert ending - COMMITS == set()
    assert "kit/db/database.py" in ending


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base", "core"}
    assert [name_of(file) for file in FILES if empty & set(file.relative_to(SOURCES).with_suffix("").parts)] == []


def test_no_exception_is_caught_to_go_on_in_silence() -> None:
    silent = [
        f"{name_of(file)}:{node.lineno}"
        for file in FILES
        for node in nodes(file)
        if isinstance(node, ast.ExceptHandler) and isinstance(node.body[0], ast.Pass)
    ]
    assert silent == []


def test_every_module_says_what_it_is() -> None:
    mute = [name_of(file) for file in FILES if file.read_text() and not ast.get_docstring(ast.parse(file.read_text()))]
    assert mute == []


@pytest.mark.parametrize(
    "contract",
    [
        "Nothing calls upward: roots, then APIs, then slices, then the kit",
        "Below the APIs nobody knows HTTP",
        "SQL is written in repositories alone",
        "Rules are leaves: they do no I/O and read no clock",
        "Public APIs do not import one another",
        "Models and repositories are private to their slice",
        "Settings are read by composition roots alone",
    ],
)
def test_the_imports_are_under_contract(contract: str) -> None:
    # `make check` runs them; here it is only that none is dropped.
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert contract in [each["name"] for each in configured]


def test_every_slice_is_under_the_contracts_of_slices() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    modules = {name for contract in contracts for name in contract.get("protected_modules", ())}
    rules = {name for contract in contracts for name in contract.get("source_modules", ()) if name.endswith(".rules")}
    found = {".".join(file.relative_to(SOURCES.parent).with_suffix("").parts) for file in FILES}
    repositories = {name for name in found if name.endswith(".repository")}
    assert [name for name in repositories if not any(fnmatch(name, each) for each in modules)] == []
    assert {name for name in found if name.endswith(".rules")} == rules
