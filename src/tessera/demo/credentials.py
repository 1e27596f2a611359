"""The credentials of the demonstration organizations in the file demo.json."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tessera.kit.errors import DomainError
from tessera.kit.secret_files import write_private
from tessera.kit.wire import wire_name

FILE_NAME = "demo.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Credentials and examples of one demonstration organization.

    The administrator has every right in the organization; `voucher_token` has those of the documented APIs.
    """

    name: str
    client_id: str
    client_secret: str
    administrator_token: str
    voucher_token: str
    partner_token: str
    partner_name: str
    api_key: str
    store_exam_codes: list[str]
    product_bundle_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCredentials:
    """The content of the file: the URL of the server, and the credentials of the platform and of the organizations."""

    base_url: str
    platform_administrator_token: str
    organizations: list[Credentials]

    def variables(self) -> dict[str, str]:
        """The variables of a shell for the URL, and for the credentials and examples of the first organization."""
        first = self.organizations[0]
        return {
            "DEMO_URL": self.base_url,
            "DEMO_ORGANIZATION": first.name,
            "DEMO_API_KEY": first.api_key,
            "DEMO_CLIENT_ID": first.client_id,
            "DEMO_CLIENT_SECRET": first.client_secret,
            "DEMO_ADMINISTRATOR_TOKEN": first.administrator_token,
            "DEMO_VOUCHER_TOKEN": first.voucher_token,
            "DEMO_PARTNER_TOKEN": first.partner_token,
            "DEMO_PARTNER_NAME": first.partner_name,
            "DEMO_PLATFORM_ADMINISTRATOR_TOKEN": self.platform_administrator_token,
            "DEMO_STORE_EXAM_CODE": first.store_exam_codes[0],
            "DEMO_PRODUCT_BUNDLE_ID": first.product_bundle_id,
        }


_NAMES = tuple(Credentials.__dataclass_fields__)


class CredentialsDamaged(DomainError):
    """The file was edited and cannot be read; the secrets in it are stored nowhere else."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is damaged; delete it to have new credentials generated.")


def read(path: Path) -> DemoCredentials | None:
    """The content of the file, or None if it does not exist; raises CredentialsDamaged.

    A token that an earlier version did not write is empty.
    """
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text())
        return DemoCredentials(
            base_url=content["baseUrl"],
            platform_administrator_token=content.get(wire_name("platform_administrator_token"), ""),
            organizations=[Credentials(**_attributes(item)) for item in content["organizations"]],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CredentialsDamaged(path) from error


def write(path: Path, demo: DemoCredentials) -> None:
    """Write the file with mode 0600."""
    organizations = [{wire_name(name): getattr(item, name) for name in _NAMES} for item in demo.organizations]
    content = {
        "baseUrl": demo.base_url,
        wire_name("platform_administrator_token"): demo.platform_administrator_token,
        "organizations": organizations,
    }
    write_private(path, json.dumps(content, indent=2))


def _attributes(item: dict[str, Any]) -> dict[str, Any]:
    tokens = {"administratorToken": ""}
    return {name: (tokens | item)[wire_name(name)] for name in _NAMES}
