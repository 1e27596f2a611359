"""The files of tests: those whose lines are measured, and others that may notice a slip."""

from collections.abc import Sequence
from pathlib import Path

# Tests of other processes, whose lines are not measured, and of the user interface; of plans and numbers of statements.
NOT_MEASURED = (
    "attacks/", "cli/", "demo/", "drills/", "migrations/", "behind_nginx", "docs_page",
    "embedded_postgres", "exact_limits", "frozen_database", "generated_clients", "guide_site", "kills", "outage",
    "plans/", "pooler", "schemathesis", "several_hosts", "silent_queue", "slow_uploads", "statement_counts/",
    "test_guard", "test_house_style", "test_jobs", "wrong_clocks",
)  # fmt: skip
# Those of them that take minutes or look at no behaviour.
NOT_REMOTE = (
    "attacks/", "docs_page", "drills/", "embedded_postgres", "exact_limits", "generated_clients", "guide",
    "migrations/", "plans/", "rolling_restarts", "schemathesis", "test_house_style", "upgrade", "wheel",
)  # fmt: skip


def measured_files(root: Path) -> list[str]:
    return [name for name in _files(root) if not _contains(name, NOT_MEASURED)]


def remote_files(root: Path) -> list[str]:
    """The test files of other processes: they may notice a slip, though nobody knows that they execute its line."""
    return [name for name in _files(root) if _contains(name, NOT_MEASURED) and not _contains(name, NOT_REMOTE)]


def _files(root: Path) -> list[str]:
    return [file.relative_to(root).as_posix() for file in sorted(root.glob("tests/**/test_*.py"))]


def _contains(name: str, parts: Sequence[str]) -> bool:
    return any(part in name for part in parts)
