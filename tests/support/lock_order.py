"""The order in which a statement locks rows: transactions that lock the same rows in other orders deadlock."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pglast.enums import A_Expr_Kind, BoolExprType, LockWaitPolicy, SortByDir
from tests.support.sql_trees import ast, children, parse, without_cast

from tessera.metadata import metadata

LOCK = re.compile(r"\bfor\s+(?:no\s+key\s+|key\s+)?(?:update|share)\b", re.IGNORECASE)
# An organization has one row of each.
SINGLE = {
    name for name, table in metadata.tables.items() if [*table.primary_key.columns.keys()] == ["organization_id"]
} | {"organizations"}


@lru_cache(maxsize=20_000)
def unordered_locks(text: str) -> tuple[str, ...]:
    """The relations of which a statement that waits locks several rows, but not in ascending order."""
    return tuple(_unordered(tuple(raw.stmt for raw in parse(text)))) if LOCK.search(text) else ()


def _unordered(node: Any) -> Iterator[str]:
    if isinstance(node, ast.SelectStmt) and node.lockingClause:
        waits = any(each.waitPolicy == LockWaitPolicy.LockWaitBlock for each in node.lockingClause)
        directions = {each.sortby_dir for each in node.sortClause or ()}
        is_ascending = bool(directions) and SortByDir.SORTBY_DESC not in directions
        if waits and not is_ascending and not _locks_one(node):
            yield "lock of " + ", ".join(_tables(node.fromClause))
    for child in children(node):
        yield from _unordered(child)


def _locks_one(node: Any) -> bool:
    """Whether the statement names one row: by its id, or as the only one of its organization."""
    names = {column.fields[-1].sval for column in _compared(node.whereClause)}
    return "id" in names or not SINGLE.isdisjoint(_tables(node.fromClause))


def _tables(node: Any) -> Iterator[str]:
    if isinstance(node, ast.RangeVar):
        yield node.relname
    for child in children(node):
        yield from _tables(child)


def _compared(condition: Any) -> Iterator[Any]:
    """The columns that are compared with a parameter."""
    match condition:
        case ast.BoolExpr(boolop=BoolExprType.AND_EXPR):
            for argument in condition.args:
                yield from _compared(argument)
        case ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP) if condition.name[0].sval == "=":
            if isinstance(without_cast(condition.rexpr), ast.ParamRef) and isinstance(condition.lexpr, ast.ColumnRef):
                yield condition.lexpr
