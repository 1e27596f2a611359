"""Rules of the code for a distributed engine, whose answers have fewer details than those of one Postgres."""

import ast

from tests.architecture.test_house_style import FILES, name_of, nodes


def readers(attribute: str) -> list[str]:
    """The places that read this attribute."""
    return [
        f"{name_of(file)}:{node.lineno}"
        for file in FILES
        for node in nodes(file)
        if isinstance(node, ast.Attribute) and node.attr == attribute
    ]


def test_nothing_counts_rows_by_the_driver() -> None:
    # Citus reports the rows of a query that was inserted, including those that met a conflict.
    assert readers("rowcount") == []


def test_nothing_recognizes_an_error_by_its_constraint() -> None:
    # The constraint of a shard has another name, and an error of a node has none.
    assert readers("constraint_name") == []
