"""The tests near a file: those whose names and imports speak of the same things."""

import math
import re
from collections import Counter
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

COMMON = {"test", "tests", "src", "tessera", "py", "repository", "service", "rule", "table", "api", "integration"}
STEMS = {"isolation": {"every", "route"}, "identity": {"credential", "authentication"}, "catalog": {"exam", "bundle"}}


def words(text: str) -> set[str]:
    """The words of a path, in the singular."""
    found = {word.rstrip("s") for word in re.split(r"[^a-z0-9]+", text.lower()) if len(word) > 2}
    return (found | {extra for word in found for extra in STEMS.get(word, ())}) - COMMON


@lru_cache
def text_of(file: Path) -> str:
    return file.read_text()


def nearness(root: Path, files: Collection[str], path: str) -> dict[str, float]:
    """How near each of these test files is to a file."""
    vocabulary = Counter(word for name in files for word in words(name))
    module = path.removeprefix("src/").removesuffix(".py").replace("/", ".")
    package = module.rpartition(".")[0]
    wanted = words(path)

    def score(name: str) -> float:
        text = text_of(root / name)
        shared = sum(math.log(len(files) / vocabulary[word]) for word in words(name) & wanted)
        return shared + 3 * (module in text) + 2 * (package in text and package.count(".") > 1)

    return {name: score(name) for name in files}


def watchers(files: Collection[str], path: str, kind: str) -> set[str]:
    """The tests that look at what a kind of slip changes without executing its line: in the catalog, or over HTTP."""
    names = {
        "policy": ["test_policies"],
        "right": ["test_rights", "test_authentication"],
        "audit": ["test_audited_routes"],
        "lock": ["test_audited_routes"],
    }.get(kind, [])
    if path.endswith(".sql"):
        names += ["test_owners_functions", "architecture/test_functions"]
    if path.endswith("tables.py") or path == "migrations/tenancy.py":
        names += ["architecture/test_database", "isolation/test_unit_of_work"]
    return {file for file in files if any(name in file for name in names)}
