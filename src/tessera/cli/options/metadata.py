"""Options with metadata, and their parsers."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from tessera.kit.errors import Invalid, Violation
from tessera.kit.normalization import stored_name
from tessera.record_metadata import rules
from tessera.record_metadata.rules import KeyAndText, NotMetadata

Metadata = Annotated[
    list[str] | None,
    typer.Option("--metadata", help="A text with its key, in place of all others; repeatable.", metavar="KEY=TEXT"),
]
MetadataFilter = Annotated[
    str | None,
    typer.Option("--metadata", help="Only records whose metadata have this text.", metavar="KEY=TEXT"),
]


def parse_metadata(texts: Sequence[str], *, field: str = "metadata") -> dict[str, str]:
    """The metadata in texts such as `orderId=ORD-1001`; raises Invalid."""
    pairs = [text.partition("=") for text in texts]
    if violations := list(_violations(pairs, field)):
        raise Invalid(violations)
    try:
        return rules.parse({key: text for key, _, text in pairs})
    except NotMetadata as error:
        raise Invalid([Violation(error.code, field, str(error))]) from error


def _violations(pairs: Sequence[tuple[str, str, str]], field: str) -> Iterator[Violation]:
    counts = Counter(stored_name(key) for key, separator, _ in pairs if separator)
    for key, separator, _ in pairs:
        if not separator:
            yield Violation("NotKeyAndText", field, f"must be KEY=TEXT: {key}")
    for key, count in counts.items():
        if count > 1:
            yield Violation("Repeated", field, f"must name each key once: {key}")


def parse_filter(text: str | None) -> KeyAndText | None:
    """The filter in the option `--metadata`; raises Invalid."""
    try:
        return None if text is None else rules.parse_filter(text)
    except NotMetadata as error:
        raise Invalid([Violation(error.code, "metadata", str(error))]) from error
