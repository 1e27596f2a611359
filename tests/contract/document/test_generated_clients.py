"""Clients from the two most common generators: they generate without a warning, and work."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from tests.support.factories import Tenant

from tessera.api.certiverse_promo import documentation

TYPESCRIPT = "openapi-typescript@7.13.0"
REDOCLY = "@redocly/cli@2.77.0"
RULES = Path(__file__).parents[3] / "redocly.yaml"


@pytest.fixture
def document(app: FastAPI, tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(app.openapi()))
    return path


def run(*command: str | Path, directory: Path) -> subprocess.CompletedProcess[str]:
    # The generator formats its output with the ruff on the path.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    # npm's notices about its configuration and version do not concern the document.
    environment = os.environ | {"PATH": path, "npm_config_loglevel": "error", "npm_config_update_notifier": "false"}
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=150
    )


@pytest.fixture
def python_client(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the generated package, on the import path."""
    result = run("openapi-python-client", "generate", "--path", document, "--output-path", "made", directory=tmp_path)
    assert result.returncode == 0
    # The generator does not support CSV bodies.
    warnings = re.findall(r"WARNING parsing (.+) within", result.stdout + result.stderr)
    assert warnings == ["POST /management/v1/promo-code-imports", "POST /management/v1/voucher-imports"]
    monkeypatch.syspath_prepend(tmp_path / "made")
    return "tessera_client"


def test_the_python_client_creates_and_lists_promo_codes(python_client: str, live_url: str, tenant: Tenant) -> None:
    package = importlib.import_module(python_client)
    models = importlib.import_module(f"{python_client}.models")
    create = importlib.import_module(f"{python_client}.api.certiverse_promo_code_api.create_promo_code")
    listing = importlib.import_module(f"{python_client}.api.certiverse_promo_code_api.list_promo_codes")
    with package.AuthenticatedClient(base_url=live_url, token=tenant.token.secret) as client:
        command = models.PromoCodeCreateCommand.from_dict(documentation.REQUEST)
        created = create.sync(client=client, body=command)
        listed = listing.sync(client=client, status=models.PromoCodeStatus.ACTIVE, page=1)
    assert created.to_dict() == documentation.PROMO_CODE
    assert listed.to_dict() == {"data": [documentation.PROMO_CODE], "nextLink": None}


def registry_answers() -> bool:
    command = ["npm", "config", "get", "registry"]
    registry = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip()
    try:
        return httpx.head(registry, timeout=5, follow_redirects=True).status_code < 500
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


@pytest.fixture(scope="module")
def npm() -> None:
    if not (shutil.which("node") and shutil.which("npx")):
        pytest.skip("no Node.js is installed, which these tools need")
    if not registry_answers():
        pytest.skip("the npm registry, where these tools come from, cannot be reached")


@pytest.mark.usefixtures("npm")
def test_the_typescript_client_is_made_without_a_warning(document: Path, tmp_path: Path) -> None:
    result = run("npx", "--yes", TYPESCRIPT, document, "--output", "tessera.ts", directory=tmp_path)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert "warn" not in output.lower()
    assert "createPromoCode: {" in (tmp_path / "tessera.ts").read_text()


@pytest.mark.usefixtures("npm")
def test_redocly_finds_nothing_to_improve(document: Path, tmp_path: Path) -> None:
    result = run("npx", "--yes", REDOCLY, "lint", document, "--config", RULES, "--format=json", directory=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(result.stdout)["problems"] == []
