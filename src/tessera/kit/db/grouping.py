"""Grouping of nested rows: one statement fetches the rows of a whole page of parents."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from tessera.kit.db.unit_of_work import AnyRow


def group(rows: Iterable[AnyRow], *, by: str) -> Mapping[UUID, Sequence[AnyRow]]:
    """The rows by the id in their column `by`; each group keeps the order of the rows."""
    groups: dict[UUID, list[AnyRow]] = {}
    for row in rows:
        groups.setdefault(getattr(row, by), []).append(row)
    return groups
