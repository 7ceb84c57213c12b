"""Under which names the server answers."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
PORTS = {"http": 80, "https": 443}
AUTHORITY = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]\\,]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True)
class Place:
    """A host as it stands in a header or an option; no port is any."""

    name: str
    port: int | None = None

    @classmethod
    def read(cls, text: str) -> Place | None:
        """From ``name`` or ``name:port``; None where it is neither."""
        found = AUTHORITY.fullmatch(text.strip())
        if found is None:
            return None
        name = found["name"].strip("[]").rstrip(".").lower()
        return cls(_plain(name), int(found["port"]) if found["port"] else None)

    @classmethod
    def of_origin(cls, text: str) -> Place | None:
        """From the Origin of a web page, with its port; None for what is no http origin."""
        try:
            parts = urlsplit(text.strip())
        except ValueError:
            return None
        place = cls.read(parts.netloc) if parts.scheme in PORTS and not parts.path else None
        return place and cls(place.name, place.port or PORTS[parts.scheme])


@dataclass(frozen=True)
class Addresses:
    """Names that the server answers to.

    Attributes
    ----------
    own : frozenset of str
        Names and addresses that it was started on.
    allowed : tuple of Place
        Those of proxies before it, named on the command line.
    """

    own: frozenset[str]
    allowed: tuple[Place, ...] = ()

    @classmethod
    def of(cls, host: str, allowed: Iterable[str] = ()) -> Addresses:
        """Those of a server that listens on `host`; see the option ``--allow-host``.

        Raises
        ------
        ValueError
            If an allowed one is no host.
        """
        name = _plain(host.strip("[]").lower())
        own = {name} | (LOOPBACK if is_private(name) or is_any(name) else set())
        return cls(
            frozenset(own | (_names() if is_any(name) else set())), tuple(map(place, allowed))
        )

    def answers(self, host: Place | None, reached: str | None) -> bool:
        """Whether a request for `host` that came in at the address `reached` is for this server."""
        if host is None:
            return False
        # An address cannot be made to lead elsewhere, as the name of a website can.
        at = host.name == _plain(reached or "")
        return at or host.name in self.own or any(_matches(host, one) for one in self.allowed)

    def trusts(self, origin: Place | None, host: Place) -> bool:
        """Whether a page of `origin` may call the server under the name `host`."""
        if origin is None:
            return False
        same = origin.name == host.name and origin.port in _ports(host)
        return same or any(
            origin.name == one.name and origin.port in _ports(one) for one in self.allowed
        )


def place(text: str) -> Place:
    """Read a host from the command line.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = Place.read(text)
    if found is None or "*" in found.name:
        raise ValueError(f"a host is a name such as example.org or example.org:8443, not {text!r}")
    return found


def is_any(host: str) -> bool:
    """Whether a server that listens there is reached at every address of this machine."""
    return host in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not listened on


def is_private(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _matches(host: Place, allowed: Place) -> bool:
    return host.name == allowed.name and allowed.port in (None, host.port)


def _ports(host: Place) -> tuple[int, ...]:
    return tuple(PORTS.values()) if host.port is None else (host.port,)


def _names() -> set[str]:
    """What this machine calls itself."""
    short = socket.gethostname().lower()
    return {name for name in (short, f"{short}.local", socket.getfqdn().lower()) if name}


def _plain(name: str) -> str:
    """An address in its shortest form; other names as they are."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
