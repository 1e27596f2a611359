"""The organizations of a stage and its server, as values that a process reads without importing the application."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

OWN_CODES = 20


@dataclass(frozen=True)
class Party:
    """The credentials of an organization."""

    id: UUID
    key: str
    token: str
    client_id: str

    @property
    def api_key(self) -> dict[str, str]:
        """Headers of its shop."""
        return {"cv-api-key": self.key}

    @property
    def bearer(self) -> dict[str, str]:
        """Headers of its manager."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class Stage:
    """The server, the organization A of the stranger, the honest organization B, and five more."""

    url: str
    pid: int
    a: Party
    b: Party
    others: tuple[Party, ...]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the server."""
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 0)

    def memory_mib(self) -> float:
        """The resident memory of the server in MiB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
