"""The rows that a statement locks or updates: of which tables, and in which order.

Transactions that lock the same rows in different orders can deadlock. Only locking SELECTs have an order that can be
checked; an UPDATE or DELETE of several rows locks them as its plan finds them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pglast.enums import A_Expr_Kind, BoolExprType, LockWaitPolicy, SortByDir
from tests.support.sql_trees import ast, nodes, parse, without_cast

from tessera.metadata import metadata

CHANGE = re.compile(r"\b(?:update|delete)\b", re.IGNORECASE)
RELEVANT = re.compile(r"\b(?:for|update)\b", re.IGNORECASE)
TABLES = metadata.tables
# Tables whose rows for an organization are all deleted and computed anew, in one transaction.
REBUILT = {"redemption_totals"}
KEYS = {name: [*table.primary_key.columns.keys()] for name, table in TABLES.items()}


@dataclass
class Rows:
    """The tables whose rows are locked for a change, locked in common with others, and updated."""

    locked: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    updated: set[str] = field(default_factory=set)


def rows_in(text: str) -> Rows:
    """What a statement does with rows."""
    rows = Rows()
    if RELEVANT.search(text):
        for node in nodes(parse(text)):
            if isinstance(node, ast.UpdateStmt) and node.relation.relname in TABLES:
                rows.updated.add(node.relation.relname)
            elif isinstance(node, ast.SelectStmt):
                for clause in node.lockingClause or ():
                    is_for_change = clause.strength.name in ("LCS_FORUPDATE", "LCS_FORNOKEYUPDATE")
                    (rows.locked if is_for_change else rows.shared).update(_locked(node, clause).values())
    return rows


@lru_cache(maxsize=20_000)
def whole_changes(text: str) -> tuple[str, ...]:
    """The tables of which all rows of an organization are changed, because no condition names another column."""
    return tuple(_whole(parse(text))) if CHANGE.search(text) else ()


def _whole(statements: Any) -> Iterator[str]:
    for node in nodes(statements):
        if isinstance(node, ast.UpdateStmt | ast.DeleteStmt):
            table = node.relation.relname
            named = {each.fields[-1].sval for each in nodes(node.whereClause) if isinstance(each, ast.ColumnRef)}
            if len(KEYS.get(table, ())) > 1 and table not in REBUILT and not named - {"organization_id"}:
                yield table


@lru_cache(maxsize=20_000)
def unordered_locks(text: str) -> tuple[str, ...]:
    """The tables of which a SELECT that waits for locks takes several rows, but not in the order of a key."""
    return tuple(_unordered(parse(text))) if RELEVANT.search(text) else ()


def _unordered(statements: Any) -> Iterator[str]:
    for node in nodes(statements):
        if isinstance(node, ast.SelectStmt):
            for clause in node.lockingClause or ():
                if clause.waitPolicy == LockWaitPolicy.LockWaitBlock:
                    tables = _locked(node, clause)
                    several = [table for alias, table in tables.items() if not _is_one(node, alias, table)]
                    if several and not _is_sorted(node, tables):
                        yield from several


def _locked(select: Any, clause: Any) -> dict[str, str]:
    """The tables that a clause locks, by their aliases."""
    tables = _aliases(select)
    names = [each.relname for each in clause.lockedRels] if clause.lockedRels else tables
    return {name: tables[name] for name in names if tables[name] in TABLES}


def _aliases(select: Any) -> dict[str, str]:
    relations = [node for node in nodes(select.fromClause) if isinstance(node, ast.RangeVar)]
    return {each.alias.aliasname if each.alias else each.relname: each.relname for each in relations}


def _is_sorted(select: Any, tables: dict[str, str]) -> bool:
    """Whether the rows come in ascending order, and a column of a primary key of these tables comes last."""
    sort = select.sortClause or ()
    if not sort or any(each.sortby_dir == SortByDir.SORTBY_DESC for each in sort):
        return False
    alias, name = _column(select, sort[-1].node)
    return alias in tables and name in KEYS[tables[alias]]


def _is_one(select: Any, alias: str, table: str) -> bool:
    """Whether a parameter names the only row: by the last column of the primary key, such as the id."""
    return (alias, KEYS[table][-1]) in {_column(select, each) for each in _compared(select.whereClause)}


def _column(select: Any, node: Any) -> tuple[str, str]:
    """The alias and the name of a column, or empty texts for another expression."""
    if not isinstance(node, ast.ColumnRef) or not isinstance(node.fields[-1], ast.String):
        return "", ""
    aliases = [*_aliases(select)]
    alias = node.fields[-2].sval if len(node.fields) > 1 else aliases[0] if len(aliases) == 1 else ""
    return alias, node.fields[-1].sval


def _compared(condition: Any) -> Iterator[Any]:
    """The columns that must equal a parameter."""
    match condition:
        case ast.BoolExpr(boolop=BoolExprType.AND_EXPR):
            for argument in condition.args:
                yield from _compared(argument)
        case ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP) if condition.name[0].sval == "=":
            if isinstance(without_cast(condition.rexpr), ast.ParamRef):
                yield condition.lexpr
