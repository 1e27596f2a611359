"""The parsers of metadata in imported CSV files."""

from collections.abc import Mapping
from typing import Any

import orjson

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
        try:
            values["metadata"] = rules.parse((values.get("metadata") or {}) | texts_by_key)
        except NotMetadata as error:
            values["metadata"] = None
            violations.append(Violation(error.code, "metadata", str(error)))
    return values, violations


def _metadata(text: str) -> dict[str, str]:
    try:
        return rules.parse(orjson.loads(text))  # unlike `json`, it refuses half of a surrogate pair
    except NotMetadata as error:
        raise cells.InvalidCell(error.code, str(error)) from error
    except orjson.JSONDecodeError as error:
        raise cells.InvalidCell("NotObject", "must be a JSON object") from error
