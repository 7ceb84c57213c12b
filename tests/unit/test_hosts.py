"""Under which names a server answers, and which pages may call it."""

from __future__ import annotations

import socket

import pytest

from pruneviz.hosts import Addresses, Place, place

ANYWHERE = "0.0.0.0"  # noqa: S104 - nothing is served here


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("localhost", Place("localhost")),
        ("LocalHost:7860", Place("localhost", 7860)),
        ("example.org.:443", Place("example.org", 443)),
        ("[::1]:7860", Place("::1", 7860)),
        ("[0:0:0:0:0:0:0:1]", Place("::1")),
        ("[::ffff:127.0.0.1]:80", Place("127.0.0.1", 80)),
        ("", None),
        ("a b", None),
        ("evil.example/localhost", None),
        ("localhost@evil.example", None),
        ("localhost,evil.example", None),
        ("localhost:port", None),
        ("::1", None),
    ],
)
def test_hosts_are_read(text, wanted) -> None:
    assert Place.read(text) == wanted


@pytest.mark.parametrize("text", ["", "http://a", "a/b", "*", "*.example.org", "a:b", "a b"])
def test_what_is_no_host_is_refused(text) -> None:
    with pytest.raises(ValueError, match=r"a host is a name such as"):
        place(text)


@pytest.mark.parametrize(
    ("started", "allowed", "asked", "reached", "answers"),
    [
        ("127.0.0.1", (), "127.0.0.1:7860", "127.0.0.1", True),
        ("127.0.0.1", (), "localhost:7860", "127.0.0.1", True),
        ("127.0.0.1", (), "[::1]:7860", "127.0.0.1", True),
        ("127.0.0.1", (), "localhost:9000", "127.0.0.1", True),  # a tunnel's other end
        ("127.0.0.1", (), "evil.example", "127.0.0.1", False),
        ("127.0.0.1", (), "localhost.evil.example", "127.0.0.1", False),
        ("127.0.0.1", (), "192.168.1.7", "127.0.0.1", False),
        ("127.0.0.2", (), "127.0.0.2:7860", "127.0.0.2", True),
        ("::1", (), "[::1]:7860", "::1", True),
        ("192.168.1.7", (), "192.168.1.7:7860", "192.168.1.7", True),
        ("192.168.1.7", (), "localhost", "192.168.1.7", False),
        ("box.example.org", (), "box.example.org:7860", "10.0.0.1", True),
        ("box.example.org", (), "10.0.0.1:7860", "10.0.0.1", True),
        (ANYWHERE, (), "192.168.1.7:7860", "192.168.1.7", True),
        (ANYWHERE, (), "192.168.1.7:7860", "::ffff:192.168.1.7", True),
        (ANYWHERE, (), "192.168.1.8:7860", "192.168.1.7", False),
        (ANYWHERE, (), "localhost:7860", "127.0.0.1", True),
        (ANYWHERE, (), "evil.example", "192.168.1.7", False),
        ("::", (), "[fd00::7]:7860", "fd00::7", True),
        (ANYWHERE, ("demo.hf.space",), "demo.hf.space", "10.1.2.3", True),
        (ANYWHERE, ("demo.hf.space",), "other.hf.space", "10.1.2.3", False),
        ("127.0.0.1", ("a.example:8443",), "a.example:8443", "127.0.0.1", True),
        ("127.0.0.1", ("a.example:8443",), "a.example", "127.0.0.1", False),
    ],
)
def test_only_its_own_names_are_answered(started, allowed, asked, reached, answers) -> None:
    assert Addresses.of(started, allowed).answers(Place.read(asked), reached) is answers


def test_a_server_for_all_knows_the_machines_name() -> None:
    name = Place.read(f"{socket.gethostname()}:7860")
    assert Addresses.of(ANYWHERE).answers(name, "192.168.1.7")
    assert not Addresses.of("127.0.0.1").answers(Place("elsewhere"), "127.0.0.1")


@pytest.mark.parametrize(
    ("origin", "host", "trusted"),
    [
        ("http://127.0.0.1:7860", "127.0.0.1:7860", True),
        ("http://localhost:7860", "localhost:7860", True),
        ("https://a.example", "a.example", True),
        ("https://a.example:443", "a.example", True),
        ("http://localhost:3000", "localhost:7860", False),
        ("http://localhost:7860", "127.0.0.1:7860", False),
        ("http://evil.example", "127.0.0.1:7860", False),
        ("http://evil.example:7860", "127.0.0.1:7860", False),
        ("null", "127.0.0.1:7860", False),
        ("", "127.0.0.1:7860", False),
        ("file://", "127.0.0.1:7860", False),
        ("http://127.0.0.1:7860/path", "127.0.0.1:7860", False),
        ("http://[", "127.0.0.1:7860", False),
        ("https://proxy.example", "127.0.0.1:7860", True),
        ("https://proxy.example:8443", "127.0.0.1:7860", False),
    ],
)
def test_pages_of_other_origins_are_not_trusted(origin, host, trusted) -> None:
    addresses = Addresses.of("127.0.0.1", ("proxy.example",))
    assert addresses.trusts(Place.of_origin(origin), place(host)) is trusted
