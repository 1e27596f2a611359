"""Rules that the syntax tree can verify: sizes, names, imports, transactions and the location of SQL."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

import tessera

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "tessera"
FILES = sorted(SOURCES.rglob("*.py"))
# The modules that prepare a database before a server starts.
SETUP = {"schema.py", "provision.py"}
# The modules that may end a transaction.
COMMITS = {"kit/db/database.py", "kit/db/unit_of_work.py", *SETUP}

# A pattern of SQL in a string, and the calls that accept or build SQL.
STATEMENT = re.compile(
    r"\s*(select\s.*\bfrom\b|select\s+\w+\(|insert\s+into\b|update\s+\w+\s+set\b|delete\s+from\b|with\s+\w+\s+as\b"
    r"|(create|alter|drop|lock)\s+(table|index|role|schema|function|policy|database)\b|set\s+(local|transaction)\b)",
    re.IGNORECASE | re.DOTALL,
)
BUILDERS = {"text", "select", "insert", "update", "delete", "upsert", "exec_driver_sql"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(file: Path) -> str:
    return file.relative_to(SOURCES).as_posix()


def nodes(file: Path) -> Iterator[ast.AST]:
    yield from ast.walk(ast.parse(file.read_text()))


def lengths(file: Path) -> Iterator[tuple[str, int]]:
    for node in nodes(file):
        if isinstance(node, Function):
            yield f"{name_of(file)}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def may_contain_sql(file: Path) -> bool:
    # SQL belongs in repositories, in the kit, and in the modules that create databases, roles and schemas.
    return file.name == "repository.py" or name_of(file).startswith("kit/db/") or name_of(file) in SETUP


def sql_in(file: Path) -> Iterator[str]:
    for node in nodes(file):
        match node:
            case ast.Constant(value=str(text)) if STATEMENT.match(text):
                yield f"{file}:{node.lineno}"
            case ast.Call(func=ast.Name(id=name)) if name in BUILDERS:
                yield f"{file}:{node.lineno}"
            case ast.Call(func=ast.Attribute(attr="exec_driver_sql")):
                yield f"{file}:{node.lineno}"
            case ast.Call(func=ast.Attribute(attr="execute"), args=[ast.Constant() | ast.JoinedStr(), *_]):
                yield f"{file}:{node.lineno}"


def test_the_checked_files_are_those_of_the_imported_package() -> None:
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


def test_no_module_has_a_vague_name() -> None:
    vague_names = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base", "core"}
    assert [name_of(file) for file in FILES if vague_names & set(file.relative_to(SOURCES).with_suffix("").parts)] == []


def test_no_exception_is_silently_ignored() -> None:
    silent_handlers = [
        f"{name_of(file)}:{node.lineno}"
        for file in FILES
        for node in nodes(file)
        if isinstance(node, ast.ExceptHandler) and isinstance(node.body[0], ast.Pass)
    ]
    assert silent_handlers == []


def test_every_module_has_a_docstring() -> None:
    undocumented = [
        name_of(file) for file in FILES if file.read_text() and not ast.get_docstring(ast.parse(file.read_text()))
    ]
    assert undocumented == []


@pytest.mark.parametrize(
    "contract",
    [
        "Imports lead downward: composition roots, APIs, slices, kit",
        "Only the APIs and the composition roots import HTTP libraries",
        "Only repositories, tables, the database kit and the schema import SQLAlchemy",
        "Only the kit, the schema and provisioning import the database driver",
        "Repositories are private to the services",
        "Tables are private to the repositories",
        "Rules do no I/O and read no clock",
        "Public APIs do not import one another",
        "Settings are read by the composition roots",
    ],
)
def test_the_import_contracts_exist(contract: str) -> None:
    # `make check` verifies the contracts; this test only ensures that none of them is removed.
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert contract in [each["name"] for each in configured]


def test_only_repositories_contain_sql() -> None:
    lines = {line for file in FILES if not may_contain_sql(file) for line in sql_in(file)}
    assert lines == set()


def test_sql_is_recognized_in_every_repository() -> None:
    # The test above would also pass if the check recognized no SQL at all.
    repositories = [file for file in FILES if file.name == "repository.py"]
    assert len(repositories) > 20
    assert [name_of(file) for file in repositories if not list(sql_in(file))] == []


@pytest.mark.parametrize(
    "source",
    [
        'SQL = "select id from users"',
        'SQL = """\nwith new as (select 1) select * from new\n"""',
        'SQL = f"insert into {table} values (1)"',
        'SQL = "  update users set name = %(name)s"',
        'SQL = "delete from users"',
        "statement = text(anything)",
        "connection.exec_driver_sql(anything)",
        'cursor.execute("anything")',
        "statement = select(User.id)",
        "statement = update(User)",
    ],
)
def test_sql_is_recognized(source: str, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(source)
    assert len(list(sql_in(tmp_path / "module.py"))) == 1


def test_prose_is_not_taken_for_sql(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text('"""Select one."""\nHELP = "Update a user, with a name"\nwork.execute(text)\n')
    assert list(sql_in(tmp_path / "module.py")) == []
