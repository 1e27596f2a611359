"""Rules for every statement of the application, on one Postgres and on several.

The first lock: a condition limits every relation of a statement that belongs to tenants to one organization. A
distributed engine needs the same condition to find the node, and RETURNING for the rows of a query that are inserted.
A locking SELECT that waits takes its rows in the order of a key, and a change names its rows.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import psycopg
from pglast.enums import A_Expr_Kind, BoolExprType, JoinType
from tests.support.row_locks import unordered_locks, whole_changes
from tests.support.sql_trees import ast, children, nodes, parse, without_cast

import tessera
from tessera.metadata import metadata

TESTS = Path(__file__).parents[1]
SOURCES = Path(tessera.__file__).parent
OBSERVERS = {__file__, str(Path(__file__).with_name("recording.py"))}
# The column that names the organization of a row.
COLUMNS = {
    name: "organization_id" if "organization_id" in table.columns else "id"
    for name, table in metadata.tables.items()
    if "organization_id" in table.columns or name == "organizations"
}
RELEVANT = re.compile(rf"\b(?:from|join|update|using)\s+(?:{'|'.join(COLUMNS)})\b", re.IGNORECASE)
INSERTION = re.compile(r"\binsert\s+into\b.*\bselect\b", re.IGNORECASE | re.DOTALL)
VALUES = re.compile(r"\s*insert\s+into\b(?!.*\bselect\b)", re.IGNORECASE | re.DOTALL)


class Column(NamedTuple):
    """A column that names the organization of a relation, by the alias of the relation."""

    alias: str


# What an organization is compared with: a column of another relation, or a parameter (None).
Pin = tuple[str, Column | None]

_violations: dict[str, list[str]] = {}
_suspensions: list[object] = []
_records: list[set[CodeType]] = []


@lru_cache(maxsize=20_000)
def unlimited_relations(text: str) -> tuple[str, ...]:
    """The aliases of those relations of the statement that no condition limits to an organization."""
    if not RELEVANT.search(text) or VALUES.match(text):
        return ()
    return tuple(alias for raw in parse(text) for alias in _unlimited(raw.stmt, set()))


@lru_cache(maxsize=20_000)
def silent_insertions(text: str) -> tuple[str, ...]:
    """The tables into which the statement inserts the rows of a query without RETURNING.

    Citus sends such rows by COPY, which row-level security rejects.
    """
    return tuple(_silent(parse(text))) if INSERTION.search(text) else ()


def _silent(statements: Any) -> Iterator[str]:
    for node in nodes(statements):
        if isinstance(node, ast.InsertStmt) and not node.returningClause and not (node.selectStmt or node).valuesLists:
            yield f"insert into {node.relation.relname}"


def _unlimited(node: Any, limited_outside: set[str]) -> Iterator[str]:
    """Walk statements from the outside to the inside; a subquery may refer to limited relations around it."""
    if isinstance(node, ast.SelectStmt | ast.UpdateStmt | ast.DeleteStmt):
        relations, pins = _scope(node)
        limited = limited_outside - relations.keys() | _limited(relations, pins, limited_outside)
        yield from (f"{alias} ({table})" for alias, table in relations.items() if table and alias not in limited)
        limited_outside = limited
    for child in children(node):
        yield from _unlimited(child, limited_outside)


def _scope(statement: Any) -> tuple[dict[str, str | None], list[Pin]]:
    """The relations of one statement, without those of its subqueries, and its conditions on organizations.

    A relation that does not belong to tenants, such as a subquery, has None instead of the name of its table.
    """
    relations: dict[str, str | None] = {}
    conditions: list[tuple[Any, set[str] | None]] = [(getattr(statement, "whereClause", None), None)]
    sources = [getattr(statement, "relation", None)]
    sources += getattr(statement, "fromClause", None) or getattr(statement, "usingClause", None) or ()
    for source in sources:
        _collect(source, relations, conditions)
    owners = [alias for alias, table in relations.items() if table]
    pins = [
        pin
        for condition, limitable in conditions
        for pin in _pins(condition, owners, relations)
        if limitable is None or pin[0] in limitable
    ]
    return relations, pins


def _collect(source: Any, relations: dict[str, str | None], conditions: list[tuple[Any, set[str] | None]]) -> set[str]:
    """Add the relations and the join conditions of one item of FROM; returns the aliases in it."""
    match source:
        case ast.JoinExpr():
            left = _collect(source.larg, relations, conditions)
            right = _collect(source.rarg, relations, conditions)
            # The condition of an outer join limits only the side that may be missing.
            limitable = {JoinType.JOIN_LEFT: right, JoinType.JOIN_RIGHT: left, JoinType.JOIN_FULL: set()}
            conditions.append((source.quals, limitable.get(source.jointype)))
            if source.usingClause and "organization_id" in [name.sval for name in source.usingClause]:
                raise AssertionError("conditions on organizations must be written out")
            return left | right
        case ast.RangeVar():
            alias = source.alias.aliasname if source.alias else source.relname
            relations[alias] = source.relname if source.relname in COLUMNS else None
            return {alias}
        case ast.RangeSubselect() | ast.RangeFunction():
            alias = source.alias.aliasname if source.alias else ""
            relations[alias] = None
            return {alias}
    return set()


def _pins(condition: Any, owners: list[str], relations: dict[str, str | None]) -> Iterator[Pin]:
    match condition:
        case ast.BoolExpr(boolop=BoolExprType.AND_EXPR):
            for argument in condition.args:
                yield from _pins(argument, owners, relations)
        case ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP) if condition.name[0].sval == "=":
            left, right = condition.lexpr, condition.rexpr
            if isinstance(left, ast.RowExpr) and isinstance(right, ast.RowExpr):
                for one, other in zip(left.args, right.args, strict=True):
                    yield from _equality(one, other, owners, relations)
            else:
                yield from _equality(left, right, owners, relations)


def _equality(left: Any, right: Any, owners: list[str], relations: dict[str, str | None]) -> Iterator[Pin]:
    for one, other in ((left, right), (right, left)):
        column = _organization_of(one, owners, relations)
        if column is not None:
            value = without_cast(other)
            if isinstance(value, ast.ParamRef | ast.A_Const):
                yield column.alias, None
            elif (source := _organization_of(value, owners, relations)) is not None:
                yield column.alias, source


def _organization_of(node: Any, owners: list[str], relations: dict[str, str | None]) -> Column | None:
    """The column of this expression, if it names the organization of a relation here or of one outside."""
    node = without_cast(node)
    if not isinstance(node, ast.ColumnRef):
        return None
    *qualifiers, name = [field.sval for field in node.fields if isinstance(field, ast.String)] or [""]
    alias = qualifiers[-1] if qualifiers else owners[0] if len(owners) == 1 else ""
    table = relations.get(alias)
    return Column(alias) if name == (COLUMNS[table] if table else "organization_id") else None


def _limited(relations: dict[str, str | None], pins: list[Pin], outside: set[str]) -> set[str]:
    """The relations that are compared with a parameter, or with a relation that is limited itself."""
    limited: set[str] = set()
    while True:
        more = {
            alias
            for alias, source in pins
            if source is None or source.alias in limited or (source.alias in outside and source.alias not in relations)
        } - limited
        if not more:
            return limited
        limited |= more


def check(text: Any) -> None:
    """Note a statement of the application that breaks one of the rules."""
    if isinstance(text, str) and not _suspensions and (faults := _faults(text)) and _is_applications():
        _violations[text] = faults


def _faults(text: str) -> list[str]:
    locks = [f"lock of {table}" for table in unordered_locks(text)]
    changes = [f"all rows of {table}" for table in whole_changes(text)]
    return [*unlimited_relations(text), *silent_insertions(text), *locks, *changes]


def _callers() -> Iterator[CodeType]:
    """The functions of the application and of the tests that wait for the present statement, innermost first."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        code, frame = frame.f_code, frame.f_back
        if code.co_filename.startswith((str(TESTS), str(SOURCES))) and code.co_filename not in OBSERVERS:
            yield code


def _is_applications() -> bool:
    """Whether the application sends the present statement, and not a test."""
    sender = next(_callers(), None)
    return sender is None or sender.co_filename.startswith(str(SOURCES))


@contextmanager
def recording_senders(functions: set[CodeType]) -> Iterator[None]:
    """Record the functions of the application that send the statements of the block, directly or indirectly."""
    _records.append(functions)
    try:
        yield
    finally:
        _records.remove(functions)


@contextmanager
def unchecked() -> Iterator[None]:
    """Check no statement of the block, which removes conditions on purpose."""
    token = object()
    _suspensions.append(token)
    try:
        yield
    finally:
        _suspensions.remove(token)


def take_violations() -> dict[str, list[str]]:
    """The statements with such faults since the last call, each with its faults."""
    violations = dict(_violations)
    _violations.clear()
    return violations


def observe(classes: Iterable[type[Any]] = (psycopg.AsyncCursor, psycopg.AsyncServerCursor)) -> None:
    """Check every statement that the driver's cursors of this process send from now on."""
    for cursor in classes:
        for name in ("execute", "executemany"):
            setattr(cursor, name, _checked(getattr(cursor, name)))


def _checked(method: Any) -> Any:
    async def send(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        check(query)
        for record in _records:
            record.update(_callers())
        return await method(self, query, *arguments, **options)

    return send
