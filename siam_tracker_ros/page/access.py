# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who may see the pictures and command the tracker."""

import dataclasses
import hmac
import ipaddress
import socket
import urllib.parse

from siam_tracker_ros.errors import InvalidSettingError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8642
MIN_TOKEN = 16  # characters
_ANY = ("", "0.0.0.0", "::")  # all addresses of this machine


@dataclasses.dataclass(frozen=True)
class Access:
    """Where the page is served, and to whom.

    Without a token only this machine has access. A web page from elsewhere, open in a browser here, has not: its
    `Origin` is another one, and a name that its owner lets lead here is not one of this machine's own.

    Attributes:
        host: address to listen on.
        port: TCP port; 0 for any that is free.
        token: what every viewer has to know; may be empty where `host` is this machine alone.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    token: str = ""

    def check(self) -> None:
        """Raise InvalidSettingError for a port that is none, or where others could reach the page without a token."""
        if not 0 <= self.port <= 65535:
            raise InvalidSettingError(f"port is {self.port}, expected 0 to 65535; 0 takes any that is free")
        if self.token and (len(self.token) < MIN_TOKEN or not self.token.isascii() or not self.token.isprintable()):
            raise InvalidSettingError(
                f"token has {len(self.token)} characters, expected at least {MIN_TOKEN}, printable ASCII alone; make "
                'one with: python3 -c "import secrets; print(secrets.token_urlsafe())"'
            )
        if not self.token and not is_this_machine(self.host):
            raise InvalidSettingError(
                f"host is '{self.host}', which others can reach, and there is no token, expected one; make it with: "
                f'python3 -c "import secrets; print(secrets.token_urlsafe())", or use {DEFAULT_HOST}'
            )

    def refusal(self, host: str, origin: str | None) -> str:
        """Return why a request may not be answered, "" where it may.

        Args:
            host: its `Host`.
            origin: its `Origin`, which a browser always sends with a WebSocket; None for other programs.
        """
        if not self.token and not is_this_machine(_host_name(host)):
            return f"Host is {ascii(host)}, expected localhost; open the page by that name, or set a token"
        if origin is not None and _place(origin) != host.lower():
            return f"Origin is {ascii(origin)}, expected {ascii(host)}; open the page that this program serves"
        return ""

    def admits(self, token: str) -> bool:
        """Whether a viewer knows the token; takes the same time for every wrong one."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())

    def url(self, port: int) -> str:
        """Return the address to open in a browser, with the token, which a browser keeps to itself after a #."""
        host = socket.gethostname() if self.host in _ANY else self.host
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{port}/" + (f"#token={urllib.parse.quote(self.token)}" if self.token else "")


def is_this_machine(host: str) -> bool:
    """Whether a name or an address can only be reached from this machine."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_name(host: str) -> str:
    """Return a Host without its port, "" for one that is none."""
    try:
        return urllib.parse.urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _place(origin: str) -> str:
    try:
        return urllib.parse.urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
