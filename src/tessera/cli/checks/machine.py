"""Checks of the settings, of files and of this machine, without the database."""

import os
import resource
import shutil
import stat
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

from tessera import settings_sources as sources
from tessera.cli.checks.outcomes import Level, Outcome, assess, names
from tessera.kit.descriptors import MAX_DESCRIPTORS
from tessera.settings import KEY_FILE_NAME, Settings, replaces_stored_key

MIN_FREE_BYTES = 1024**3
MIN_FREE_PERCENT = 10


def check_machine(settings: Settings) -> Iterator[Outcome]:
    """All checks of this module."""
    yield _token_keys(settings)
    yield _stored_key(settings)
    yield _public_url(settings)
    yield _trusted_proxies(settings)
    yield _secret_files(settings)
    yield _descriptors(settings)
    yield _disk(settings)


def _token_keys(settings: Settings) -> Outcome:
    stored = (settings.data_dir / KEY_FILE_NAME).exists()
    finding = f"{len(settings.token_keys)} in TESSERA_TOKEN_KEYS" if settings.token_keys or not stored else "one stored"
    remedy = "Set TESSERA_TOKEN_KEYS to kid:secret, such as 1:$(openssl rand -hex 32)."
    return assess("token keys", bool(settings.token_keys) or stored, finding, remedy=remedy)


def _stored_key(settings: Settings) -> Outcome:
    is_replaced = bool(settings.token_keys) and replaces_stored_key(settings)
    finding = "unknown to TESSERA_TOKEN_KEYS" if is_replaced else "none, or in use"
    path = settings.data_dir / KEY_FILE_NAME
    remedy = f"Tokens signed by the key in {path} are refused: add it to TESSERA_TOKEN_KEYS, or delete the file."
    return assess("key of the data directory", not is_replaced, finding, remedy=remedy, level=Level.WARNING)


def _public_url(settings: Settings) -> Outcome:
    hosts = settings.public_url or names(settings.allowed_hosts)
    is_fine = bool(settings.public_url or settings.allowed_hosts or settings.trusted_proxies) or _is_loopback(settings)
    remedy = "Lists for other hosts have no next page: set TESSERA_PUBLIC_URL to the base URL that clients use."
    return assess("public URL", is_fine, hosts, remedy=remedy, level=Level.WARNING)


def _is_loopback(settings: Settings) -> bool:
    try:
        return ip_address(settings.host).is_loopback
    except ValueError:
        return settings.host == "localhost"


def _trusted_proxies(settings: Settings) -> Outcome:
    networks = [ip_network(network, strict=False) for network in settings.trusted_proxies]
    trusts_everybody = any(network.prefixlen == 0 for network in networks)
    remedy = "Anybody can forge addresses and hosts: name only the addresses of your proxies."
    return assess("trusted proxies", not trusts_everybody, names(settings.trusted_proxies), remedy=remedy)


def _secret_files(settings: Settings) -> Outcome:
    stored = [settings.data_dir / name for name in (KEY_FILE_NAME, "demo.json")]
    secrets = list(settings.secrets_dir.iterdir()) if settings.secrets_dir else []
    configuration = [settings.config] if settings.config else []
    files = [sources.ENV_FILE, *configuration, *secrets, *stored]
    readable = [path for path in files if path.is_file() and _is_open(path)]
    remedy = f"Everybody on this machine can read secrets: chmod o-rwx {' '.join(map(str, readable))}"
    return assess("files with secrets", not readable, f"readable by everybody: {names(readable)}", remedy=remedy)


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IROTH)


def _descriptors(settings: Settings) -> Outcome:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    needed = settings.max_connections + settings.pool_size + 100
    remedy = f"Raise the limit (LimitNOFILE of systemd) to {needed:,}, or lower TESSERA_MAX_CONNECTIONS."
    return assess("file descriptors", limit >= needed, f"{limit:,}", remedy=remedy, level=Level.WARNING)


def _disk(settings: Settings) -> Outcome:
    directory = next(path for path in (settings.data_dir, *settings.data_dir.absolute().parents) if path.exists())
    usage = shutil.disk_usage(directory)
    is_fine = usage.free >= MIN_FREE_BYTES and usage.free * 100 >= usage.total * MIN_FREE_PERCENT
    # With an external database, only uploads and logs need the disk of this machine.
    level = Level.WARNING if settings.database_url or usage.free >= MIN_FREE_BYTES else Level.FAILURE
    finding = f"{usage.free / 1024**3:.1f} GiB free of {usage.total / 1024**3:.0f} in {os.fspath(directory)}"
    return assess("disk", is_fine, finding, remedy="Make room, before Postgres stops.", level=level)
