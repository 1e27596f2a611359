"""The storefront server of the guide, run as the guide says beside the real server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from tests.conftest import TOKEN_KEYS
from tests.support.commands import read_line
from tests.support.live import serving

from tessera import main, schema
from tessera.demo.credentials import Credentials
from tessera.provision import Addresses
from tessera.settings import Settings

SAMPLE = Path(__file__).parents[2] / "docs" / "files" / "storefront_server.py"


@contextmanager
def sample_shop(addresses: Addresses, credentials: Credentials) -> Iterator[httpx.Client]:
    """A browser in front of the sample, which asks the real server."""
    settings, revision = Settings(token_keys=TOKEN_KEYS), schema.latest_revision()
    app = main.create_server(settings, addresses.application, schema_revision=revision)
    with serving(app) as url:
        variables = {"TESSERA_URL": url, "TESSERA_API_KEY": credentials.api_key}
        variables["STORE_EXAM"] = credentials.store_exam_codes[0]
        command = [sys.executable, str(SAMPLE), "0"]
        with subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.PIPE, text=True) as process:
            try:
                with httpx.Client(base_url=read_line(process).strip(), timeout=60) as browser:
                    yield browser
            finally:
                process.terminate()
