"""The credentials of the demonstration organizations in the file demo.json."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tessera.kit.errors import DomainError
from tessera.kit.secret_files import write_private
from tessera.kit.wire import wire_name

FILE_NAME = "demo.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Credentials and examples of one demonstration organization."""

    name: str
    client_id: str
    client_secret: str
    voucher_token: str
    partner_token: str
    partner_name: str
    api_key: str
    store_exam_codes: list[str]
    product_bundle_id: str


_NAMES = tuple(Credentials.__dataclass_fields__)


class CredentialsDamaged(DomainError):
    """The file was edited and cannot be read; the secrets in it are stored nowhere else."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is damaged; delete it to have new credentials generated.")


def read(path: Path) -> dict[str, Credentials]:
    """The credentials by organization name, empty if the file does not exist; raises CredentialsDamaged."""
    if not path.exists():
        return {}
    try:
        organizations = json.loads(path.read_text())["organizations"]
        return {item["name"]: Credentials(**{name: item[wire_name(name)] for name in _NAMES}) for item in organizations}
    except (ValueError, KeyError, TypeError) as error:
        raise CredentialsDamaged(path) from error


def write(path: Path, credentials: Sequence[Credentials], *, base_url: str) -> None:
    """Write the credentials with mode 0600."""
    organizations = [{wire_name(name): getattr(item, name) for name in _NAMES} for item in credentials]
    write_private(path, json.dumps({"baseUrl": base_url, "organizations": organizations}, indent=2))
