"""What names a person, and what replaces it."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson

from tessera.audit.rules import ERASED
from tessera.kit.normalization import email_key, key_of
from tessera.kit.personal_data import ANONYMISED, Content

_TOMBSTONE = re.compile(r"erased-[0-9a-f]{32}(@erased\.invalid)?")
# Client candidate ids may be those of several persons, so nothing is found by them.
_THEIRS = re.compile(r"((first|last)_?name|client_?candidate_?id)$", re.IGNORECASE)
_PERSON_ID = re.compile(r"person_?id$", re.IGNORECASE)
# Other ids may be words, so they are erased only where they are the value of a field for person ids.
_EMBEDDED_ID = re.compile(r"(?=.*\d).{6,}", re.DOTALL)
_SPECIAL, _ESCAPED = re.compile(r"([\\\\%_])"), r"\\\1"
_START = re.compile(r"(?<![\w.+@-])")
# The end of a sentence may follow an address.
_END = re.compile(r"(?![\w+@-]|\.\w)")
# No text that is embedded is shorter.
_BEGINNING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The texts that name a person: person ids, addresses, and pairs of a first and a last name."""

    ids: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    names: frozenset[tuple[str, str]] = frozenset()
    # The ids of records about the person, whose metadata are about the person, too.
    records: frozenset[str] = frozenset()

    @property
    def embedded(self) -> frozenset[str]:
        """The texts to find within other texts: addresses, long ids with a digit, and full names in both orders."""
        full_names = {text for first, last in self.names if last for text in (f"{first} {last}", f"{last}, {first}")}
        return self.emails | full_names | {each for each in self.ids if _EMBEDDED_ID.fullmatch(each)}

    def __or__(self, other: "Values") -> "Values":
        return Values(
            ids=self.ids | other.ids,
            emails=self.emails | other.emails,
            names=self.names | other.names,
            records=self.records | other.records,
        )


NOTHING = Values()


def is_theirs(field_name: str) -> bool:
    """Whether a field beside an id or an address of the person names the person, too."""
    return _THEIRS.search(field_name) is not None


def is_tombstone(text: str) -> bool:
    """Whether the text replaces the id or the address of an erased person."""
    return text in (ERASED, ANONYMISED) or _TOMBSTONE.fullmatch(text) is not None


def digest(key: bytes, value: str) -> bytes:
    """The keyed digest of an id or of the key of an address; `look_up_promo_codes` computes the same."""
    return hashlib.sha256(key + value.encode()).digest()


def tombstone_of_id(key: bytes, person_id: str) -> str:
    """The tombstone of a person id: always the same, so that the limit of uses per candidate stays exact."""
    return f"{ERASED}-{digest(key, person_id).hex()[:32]}"


def new_address() -> str:
    """A tombstone of an address, which is random because nothing is counted by address."""
    return f"{ERASED}-{uuid4().hex}@erased.invalid"


def patterns(values: Values) -> list[str]:
    """The LIKE patterns, in lower case, of texts and JSON that may name the person."""
    embedded = values.embedded
    needles = {*embedded, *map(_json, embedded), *(f'"{_json(each)}"' for each in values.ids)}
    return sorted(f"%{_SPECIAL.sub(_ESCAPED, key_of(each))}%" for each in needles if each.strip())


def _json(text: str) -> str:
    return orjson.dumps(text).decode()[1:-1]


@dataclass(frozen=True, slots=True)
class Eraser:
    """Replaces the texts that name a person."""

    values: Values
    # The texts to find in lower case, and their lengths by their first characters, longest first. A regular expression
    # would try every text at every position, and nothing else could run meanwhile.
    _embedded: frozenset[str] = field(init=False)
    _lengths: dict[str, list[int]] = field(init=False)

    def __post_init__(self) -> None:
        embedded = frozenset(_lower(each) for each in self.values.embedded)
        lengths: dict[str, list[int]] = {}
        for beginning, length in sorted({(each[:_BEGINNING], len(each)) for each in embedded}, reverse=True):
            lengths.setdefault(beginning, []).append(length)
        object.__setattr__(self, "_embedded", embedded)
        object.__setattr__(self, "_lengths", lengths)

    def names(self, field_name: str, text: str) -> bool:
        """Whether the text of a field names the person, as a whole or within it."""
        return self.identifies(field_name, text) or self.text(text) != text

    def text(self, text: str) -> str:
        """The text without what names the person."""
        if self._is_email(text):
            return ERASED
        lowered, parts, end = _lower(text), list[str](), 0
        for start in (match.start() for match in _START.finditer(text)):
            if start >= end and (length := self._length_at(lowered, start)):
                parts += [text[end:start], ERASED]
                end = start + length
        return "".join([*parts, text[end:]])

    def _length_at(self, lowered: str, start: int) -> int:
        """The length of the text at this position that names the person; 0 if there is none."""
        for length in self._lengths.get(lowered[start : start + _BEGINNING], ()):
            if lowered[start : start + length] in self._embedded and _END.match(lowered, start + length):
                return length
        return 0

    def texts(self, value: Mapping[str, str]) -> dict[str, str]:
        """Texts by key without what names the person."""
        return {key: self.text(text) for key, text in value.items()}

    def json(self, value: Any, field_name: str = "") -> Any:  # noqa: ANN401 - any JSON value
        """The JSON value of a record, or of a field of one, without what names the person.

        An object that has an id or an address of the person also loses its names.
        """
        match value:
            case str():
                return ERASED if self.identifies(field_name, value) else self.text(value)
            case list():
                return [self.json(item, field_name) for item in value]
            case dict():
                if value.get("id") in self.values.records and value.get("metadata"):
                    value = value | {"metadata": dict.fromkeys(value["metadata"], ERASED)}
                is_about_them = any(isinstance(item, str) and self.identifies(key, item) for key, item in value.items())
                return {
                    key: ERASED if is_about_them and item is not None and is_theirs(key) else self.json(item, key)
                    for key, item in value.items()
                }
            case _:
                return value

    def identifies(self, field_name: str, text: str) -> bool:
        """Whether the text of a field is an id or an address of the person."""
        is_id = text in self.values.ids and _PERSON_ID.search(field_name) is not None
        return is_id or self._is_email(text)

    def _is_email(self, text: str) -> bool:
        # The key of a long text is expensive.
        return "@" in text and email_key(text) in self.values.emails


def _lower(text: str) -> str:
    """The text in lower case, character by character, so that positions stay the same."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(each if len(each.lower()) > 1 else each.lower() for each in text)


def values_of(rows: Iterable[Mapping[str, Any]], contents: Mapping[str, Content]) -> Values:
    """The values in rows of a table whose columns have these contents."""
    ids, emails, names = set[str](), set[str](), set[tuple[str, str]]()
    for row in rows:
        present = {name: row[name] for name in contents if row[name] and not is_tombstone(row[name])}
        for column, value in present.items():
            match contents[column]:
                case Content.PERSON_ID:
                    ids.add(value)
                case Content.EMAIL:
                    emails |= {value, email_key(value)}
                case Content.NAME if column.endswith("first_name"):
                    names.add((value, present.get(column.replace("first", "last"), "")))
    return Values(ids=frozenset(ids), emails=frozenset(emails), names=frozenset(names))
