"""Nested lists: one statement fetches them for a whole page, and this deals them out."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from tessera.kit.db.unit_of_work import AnyRow


def group(rows: Iterable[AnyRow], *, by: str) -> Mapping[UUID, Sequence[AnyRow]]:
    """The rows by the id in their column `by`, each group in the rows' order."""
    groups: dict[UUID, list[AnyRow]] = {}
    for row in rows:
        groups.setdefault(getattr(row, by), []).append(row)
    return groups
