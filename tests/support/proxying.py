"""nginx and HAProxy as Debian packages them, with the configurations of the guide, in directories of their own."""

import getpass
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import IO

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.support.commands import free_port
from tests.support.waiting import wait_until

from tessera.kit.clock import clock

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
HAPROXY = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
MAIN, HAPROXY_MAIN = Path("/etc/nginx/nginx.conf"), Path("/etc/haproxy/haproxy.cfg")
FILES = Path(__file__).parents[2] / "docs" / "files"

needs_nginx = pytest.mark.skipif(
    (NGINX is None or not MAIN.exists()) and "CI" not in os.environ,
    reason="these tests need nginx as Debian packages it, which is not installed",
)
needs_haproxy = pytest.mark.skipif(
    (HAPROXY is None or not HAPROXY_MAIN.exists()) and "CI" not in os.environ,
    reason="these tests need haproxy as Debian packages it, which is not installed",
)


class Proxy:
    """A running proxy: its addresses, and clients that trust its certificate."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.plain, self.url = f"http://127.0.0.1:{free_port()}", f"https://127.0.0.1:{free_port()}"
        write_certificate(directory)
        self.trust = ssl.create_default_context(cafile=directory / "certificate.pem")

    def client(self, address: str = "127.0.0.2") -> httpx.Client:
        """A client with this address on the loopback network."""
        transport = httpx.HTTPTransport(verify=self.trust, local_address=address)
        return httpx.Client(base_url=self.url, transport=transport, timeout=60)


@contextmanager
def proxying(*servers: str, directory: Path) -> Iterator[Proxy]:
    """nginx in front of the servers at these URLs."""
    assert NGINX, "nginx is not installed"
    proxy = Proxy(directory)
    (directory / "site.conf").write_text(site(proxy, servers))
    (directory / "nginx.conf").write_text(main(directory))
    arguments = [NGINX, "-p", str(directory), "-c", str(directory / "nginx.conf"), "-e", str(directory / "error.log")]
    with _running([*arguments, "-g", "daemon off;"], proxy, directory / "error.log"):
        yield proxy


@contextmanager
def balancing(*servers: str, directory: Path) -> Iterator[Proxy]:
    """HAProxy in front of the servers at these URLs."""
    assert HAPROXY, "HAProxy is not installed"
    proxy = Proxy(directory)
    pair = [(directory / f"certificate.{kind}").read_text() for kind in ("pem", "key")]
    (directory / "pair.pem").write_text("".join(pair))
    configuration, errors = directory / "haproxy.cfg", directory / "errors.log"
    configuration.write_text(haproxy_main() + haproxy_site(proxy, servers))
    with errors.open("wb") as output, _running([HAPROXY, "-f", str(configuration)], proxy, errors, output):
        yield proxy


@contextmanager
def _running(command: list[str], proxy: Proxy, errors: Path, output: IO[bytes] | None = None) -> Iterator[None]:
    with subprocess.Popen(command, stderr=output) as process:
        try:
            wait_until("the proxy listens", lambda: process.poll() is not None or listens(proxy.plain))
            assert process.poll() is None, errors.read_text()
            yield
        finally:
            process.terminate()


def listens(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.TransportError:
        return False
    return True


def site(proxy: Proxy, servers: Sequence[str]) -> str:
    """The site of the guide with other names, ports and files."""
    addresses = [server.removeprefix("http://") for server in servers]
    return substituted(
        (FILES / "nginx-tessera.conf").read_text(),
        {
            "listen 80;": f"listen {proxy.plain.removeprefix('http://')};",
            "listen 443 ssl;": f"listen {proxy.url.removeprefix('https://')} ssl;",
            "server_name codes.example.com;": "server_name 127.0.0.1;",
            "server 127.0.0.1:8000 max_fails=0;": "".join(f"server {each} max_fails=0;" for each in addresses),
            "/etc/ssl/codes.example.com.pem": str(proxy.directory / "certificate.pem"),
            "/etc/ssl/codes.example.com.key": str(proxy.directory / "certificate.key"),
        },
    )


def main(directory: Path) -> str:
    """Debian's main configuration, whose paths an ordinary user may not write."""
    temporary = "".join(
        f"{kind}_temp_path {directory / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return substituted(
        MAIN.read_text(),
        {
            "user www-data;": f"user {getpass.getuser()};" if os.geteuid() == 0 else "",
            "include /etc/nginx/modules-enabled/*.conf;": "",
            "/run/nginx.pid": str(directory / "nginx.pid"),
            "/var/log/nginx": str(directory),
            "http {": f"http {{\n{temporary}",
            "include /etc/nginx/sites-enabled/*;": "",
            "include /etc/nginx/conf.d/*.conf;": f"include {directory / 'site.conf'};",
        },
    )


def haproxy_site(proxy: Proxy, servers: Sequence[str]) -> str:
    """The configuration of the guide with other ports and files; the last server is also the second one."""
    addresses = [server.removeprefix("http://") for server in servers]
    return substituted(
        (FILES / "haproxy-tessera.cfg").read_text(),
        {
            "bind :80": f"bind {proxy.plain.removeprefix('http://')}",
            "bind :443": f"bind {proxy.url.removeprefix('https://')}",
            "/etc/haproxy/codes.example.com.pem": str(proxy.directory / "pair.pem"),
            "127.0.0.1:8000": addresses[0],
            "127.0.0.1:8001": addresses[-1],
        },
    )


def haproxy_main() -> str:
    """Debian's main configuration, whose paths and users an ordinary user may not use."""
    paths = ("chroot /var/lib/haproxy", "stats socket /run/haproxy/admin.sock mode 660 level admin")
    removed = (*paths, "user haproxy", "group haproxy", "daemon")
    return substituted(HAPROXY_MAIN.read_text(), {f"\t{line}\n": "" for line in removed})


def substituted(text: str, replacements: dict[str, str]) -> str:
    for before, after in replacements.items():
        assert before in text, f"the configuration has no {before}"
        text = text.replace(before, after)
    return text


def write_certificate(directory: Path) -> None:
    """A certificate for the loopback address that is its own authority, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), clock()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (directory / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "certificate.key").write_bytes(key.private_bytes(*private))
