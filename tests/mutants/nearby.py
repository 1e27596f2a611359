"""The tests near a file: those whose names and imports speak of the same things."""

import math
import re
from collections import Counter
from pathlib import Path

# Tests of the document, of whole servers and of the user interface, which take long and look at no single rule.
FAR = (
    "demo/", "document/", "cli/", "kills", "races", "limits", "life_cycle", "generation", "roll_ups", "locks",
    "embedded_postgres", "migrations/", "plans/", "outage", "slow_uploads", "test_house_style", "statement_counts/",
    "racing", "voucher_management.py", "mutants/",
)  # fmt: skip
COMMON = {"test", "tests", "src", "tessera", "py", "repository", "service", "rule", "table", "api", "integration"}
STEMS = {"isolation": {"every", "route"}, "identity": {"credential", "authentication"}, "catalog": {"exam", "bundle"}}


def words(text: str) -> set[str]:
    """The words of a path, in the singular."""
    found = {word.rstrip("s") for word in re.split(r"[^a-z0-9]+", text.lower()) if len(word) > 2}
    return (found | {extra for word in found for extra in STEMS.get(word, ())}) - COMMON


def rank_tests(root: Path, path: str, kind: str) -> list[str]:
    """The test files, nearest first."""
    names = {file.relative_to(root).as_posix(): file for file in sorted((root / "tests").rglob("test_*.py"))}
    near = {name: file for name, file in names.items() if not any(part in name for part in FAR)}
    vocabulary = Counter(word for name in near for word in words(name))
    module = path.removeprefix("src/").removesuffix(".py").replace("/", ".")
    package = module.rpartition(".")[0]
    wanted = words(path)

    def score(name: str) -> float:
        text = near[name].read_text()
        shared = sum(math.log(len(near) / vocabulary[word]) for word in words(name) & wanted)
        imported = 3 * (module in text) + 2 * (package in text and package.count(".") > 1)
        return -(shared + imported + special(name, path, kind))

    return sorted(near, key=lambda name: (score(name), name))


def special(name: str, path: str, kind: str) -> float:
    """What a kind of slip is noticed by, whatever the names are."""
    if path.endswith(".sql"):
        return 30 * ("owners_functions" in name) + 6 * ("isolation/" in name or "storefront/" in name)
    if kind == "policy":
        return 30 * ("test_policies" in name)
    if kind == "tenant":
        return 4 * ("every_route" in name)
    if kind in ("audit", "right"):
        return 4 * ("audited_routes" in name or "every_right" in name)
    if "batching" in path or "coalescing" in path or "operations" in path:
        return 6 * ("mixed_batches" in name or "test_batching" in name)
    if path.endswith("jobs.py"):
        return 6 * ("job_retries" in name or "ends_of_holds" in name)
    return 0
