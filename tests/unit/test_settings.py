"""Settings from the environment, `.env`, a directory of secrets and a TOML file."""

import os
from pathlib import Path

import pytest

from tessera.settings import SettingsInvalid, load

KEY = "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the test, which has a directory of secrets."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TESSERA_") or name == "PORT"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TESSERA_CONFIG", "tessera.toml")
    (tmp_path / "secrets").mkdir()
    return tmp_path


def write(directory: Path, *, toml: str = "", env_file: str = "", **secrets: str) -> None:
    (directory / "tessera.toml").write_text(toml)
    (directory / ".env").write_text(f"TESSERA_SECRETS_DIR=secrets\nPOSTGRES_PASSWORD=of-another-program\n{env_file}")
    for name, value in secrets.items():
        (directory / "secrets" / name).write_text(f"{value}\n")


def test_the_environment_goes_before_env_file_secrets_and_toml(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "1")
    write(
        directory,
        toml='port = 4\nprocesses = 4\npool_size = 4\nhost = "toml"\ntrusted_proxies = ["10.0.0.0/8"]',
        env_file="TESSERA_PORT=2\nTESSERA_PROCESSES=2\n",
        tessera_processes="3",
        tessera_pool_size="3",
        TESSERA_TOKEN_KEYS=f"secret:{KEY}",
        another_program="x",
    )
    settings = load()
    assert (settings.port, settings.processes, settings.pool_size, settings.host) == (1, 2, 3, "toml")
    assert settings.trusted_proxies == ("10.0.0.0/8",)
    assert settings.token_keys == {"secret": KEY}


def test_a_toml_file_may_have_signing_keys_as_a_table(directory: Path) -> None:
    write(directory, toml=f'[token_keys]\nnew = "{KEY}"\nold = "{KEY}"')
    assert list(load().token_keys) == ["new", "old"]


def test_unknown_and_invalid_settings_are_named_with_their_place(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSERA_DATABSE_URL", "postgresql://db/x")
    write(
        directory,
        toml='log_level = "loud"\nconfig = "other.toml"\ntoken_key = "x"',
        env_file="TESSERA_POOLSIZE=1\nTESSERA_PROCESSES=none\n",
        tessera_token_key="x",
    )
    with pytest.raises(SettingsInvalid) as caught:
        load()
    assert str(caught.value).splitlines() == [
        "TESSERA_DATABSE_URL is not a setting; did you mean TESSERA_DATABASE_URL?",
        ".env: TESSERA_POOLSIZE is not a setting; did you mean TESSERA_POOL_SIZE?",
        "secrets: tessera_token_key is not a setting; did you mean tessera_token_keys?",
        "tessera.toml: config is not a setting",
        "tessera.toml: token_key is not a setting; did you mean token_keys?",
        ".env: TESSERA_PROCESSES: Input should be a valid integer, unable to parse string as an integer",
        "tessera.toml: log_level: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'",
    ]


def test_files_that_cannot_be_read_are_named(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(directory, toml="port 4")
    with pytest.raises(SettingsInvalid, match=r"^TESSERA_CONFIG: Expected '=' .*: tessera\.toml$"):
        load()
    monkeypatch.setenv("TESSERA_CONFIG", "missing.toml")
    monkeypatch.setenv("TESSERA_SECRETS_DIR", "missing")
    with pytest.raises(SettingsInvalid) as caught:
        load()
    assert str(caught.value).splitlines() == [
        "TESSERA_SECRETS_DIR: missing is not a directory that can be read",
        "TESSERA_CONFIG: No such file or directory: missing.toml",
    ]
    (directory / ".env").write_bytes(b"TESSERA_HOST=\xff\n")
    with pytest.raises(SettingsInvalid, match=r"^\.env: "):
        load()
