"""The bad lines of an imported file; a file with a bad line is not imported."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tessera.kit.errors import DomainError, Violation
from tessera.kit.wire import wire_name

MAX_BAD_LINES = 10_000


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of the file, counted from 1, and its violations, with the names of the columns."""

    number: int
    violations: Sequence[Violation]


class ImportRefused(DomainError):
    """Nothing was imported; `lines` has the first 10,000 of `count` bad lines."""

    def __init__(self, lines: Sequence[BadLine], count: int) -> None:
        super().__init__(f"Bad lines in all: {count:,}. Nothing was imported.")
        self.lines = lines
        self.count = count


def _title(field: str) -> str:
    # What follows a slash, such as a key of metadata, comes from the file and stays as it is.
    name, slash, part = field.partition("/")
    return wire_name(name) + slash + part


@dataclass(slots=True)
class BadLines:
    """The bad lines so far; `title` gives the title of the column that a field has in the file."""

    title: Callable[[str], str] = _title
    count: int = 0
    _lines: list[BadLine] = field(default_factory=list)

    def add(self, number: int, violations: Sequence[Violation]) -> None:
        """Add a bad line; the details of lines beyond the first 10,000 are dropped."""
        self.count += 1
        if len(self._lines) < MAX_BAD_LINES:
            titled = [Violation(each.code, self.title(each.field), each.message) for each in violations]
            self._lines.append(BadLine(number, titled))

    def add_all(self, violations: Mapping[int, Sequence[Violation]]) -> None:
        """Add the lines with these numbers that have violations."""
        for number, of_line in violations.items():
            if of_line:
                self.add(number, of_line)

    def raise_if_any(self) -> None:
        """Raise ImportRefused if there is a bad line."""
        if self.count:
            raise ImportRefused(sorted(self._lines, key=lambda line: line.number), self.count)
