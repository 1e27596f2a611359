"""The tables whose rows a statement locks, and those whose rows it updates."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pglast
from pglast import ast as typed_ast
from tests.support.sql_trees import PARAMETER
from tests.support.tenant_clauses import COLUMNS

ast: Any = typed_ast  # its annotations call nearly every field optional
RELEVANT = re.compile(r"\b(?:for|update)\b", re.IGNORECASE)


@dataclass
class Rows:
    """The tables of tenants whose rows are locked for a change, locked in common with others, and updated."""

    locked: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    updated: set[str] = field(default_factory=set)


def rows_in(text: str) -> Rows:
    """What a statement does with rows."""
    rows = Rows()
    if RELEVANT.search(text):
        numbers = iter(range(1, 100_000))
        sql = PARAMETER.sub(lambda _: f"${next(numbers)}", text).replace("%%", "%")
        for node in _nodes(pglast.parse_sql(sql)):
            if isinstance(node, ast.UpdateStmt) and node.relation.relname in COLUMNS:
                rows.updated.add(node.relation.relname)
            elif isinstance(node, ast.SelectStmt):
                for clause in node.lockingClause or ():
                    is_for_change = clause.strength.name in ("LCS_FORUPDATE", "LCS_FORNOKEYUPDATE")
                    (rows.locked if is_for_change else rows.shared).update(_tables(node, clause))
    return rows


def _tables(select: Any, clause: Any) -> set[str]:
    relations = [node for node in _nodes(select.fromClause) if isinstance(node, ast.RangeVar)]
    tables = {each.alias.aliasname if each.alias else each.relname: each.relname for each in relations}
    names = [each.relname for each in clause.lockedRels] if clause.lockedRels else tables
    return {tables[name] for name in names} & COLUMNS.keys()


def _nodes(node: Any) -> Iterator[Any]:
    if isinstance(node, tuple):
        for child in node:
            yield from _nodes(child)
    elif isinstance(node, ast.Node):
        yield node
        for name in node.__slots__:
            yield from _nodes(getattr(node, name))
