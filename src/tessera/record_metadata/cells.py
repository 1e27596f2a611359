"""The parsers of metadata in imported CSV files."""

import json
from collections.abc import Mapping
from typing import Any

from tessera.kit.errors import Violation
from tessera.kit.imports import cells
from tessera.kit.imports.cells import Parser
from tessera.record_metadata import rules
from tessera.record_metadata.rules import NotMetadata


def parse_all(texts: Mapping[str, str], parsers: Mapping[str, Parser]) -> tuple[dict[str, Any], list[Violation]]:
    """The values and violations of cells by column, with `metadata` from its own column and from those of its keys."""
    texts_by_key = {key: text for column, text in texts.items() if (key := rules.key_of_column(column))}
    others = {column: text for column, text in texts.items() if rules.key_of_column(column) is None}
    values, violations = cells.parse_all(others, {**parsers, "metadata": _metadata})
    if texts_by_key:
        values["metadata"] = rules.parse((values.get("metadata") or {}) | texts_by_key)
    return values, violations


def _metadata(text: str) -> dict[str, str]:
    try:
        return rules.parse(json.loads(text))
    except NotMetadata as error:
        raise cells.InvalidCell(error.code, str(error)) from error
    except (ValueError, RecursionError) as error:
        raise cells.InvalidCell("NotObject", "must be a JSON object") from error
