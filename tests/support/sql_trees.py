"""The syntax trees of statements, as Postgres itself parses them."""

import re
from collections.abc import Iterator
from typing import Any

import pglast
from pglast import ast as typed_ast

ast: Any = typed_ast  # its annotations call nearly every field optional
PARAMETER = re.compile(r"%(?:\(\w+\))?[sbt]")


def parse(text: str) -> Any:
    """The statements of a text with parameters of the driver."""
    numbers = iter(range(1, 100_000))
    return pglast.parse_sql(PARAMETER.sub(lambda _: f"${next(numbers)}", text).replace("%%", "%"))


def children(node: Any) -> Iterator[Any]:
    """What a node or a tuple of nodes consists of."""
    if isinstance(node, tuple):
        yield from node
    elif isinstance(node, ast.Node):
        yield from (getattr(node, name) for name in node.__slots__ if getattr(node, name) is not None)


def nodes(node: Any) -> Iterator[Any]:
    """A node and all that are below it."""
    if isinstance(node, ast.Node):
        yield node
    for child in children(node):
        yield from nodes(child)


def without_cast(node: Any) -> Any:
    """The expression that is cast, if one is."""
    return node.arg if isinstance(node, ast.TypeCast) else node
