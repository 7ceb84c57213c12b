"""Requests of other websites, and for other names, are refused by everything that is served."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from pruneviz.ui import build, launch_settings
from pruneviz.ui.shared.scripts import address
from tests.ui.browsing import FLAGS, SECONDS, chromium, new_page
from tests.ui.conftest import PATIENT

EVIL = "evil.example"
PATHS = (
    "/",
    "/config",
    "/theme.css",
    "/static/img/logo.svg",
    "/gradio_api/info",
    "/gradio_api/queue/data?session_hash=a",
    "/gradio_api/heartbeat/a",
    "/gradio_api/call/ask/a",
    "/gradio_api/file=/etc/hostname",
    "/gradio_api/startup-events",
    f"/{address()}/page.js",
)
POSTS = (
    "/gradio_api/upload",
    "/gradio_api/call/ask",
    "/gradio_api/queue/join",
    "/gradio_api/run/methods",
    "/gradio_api/cancel",
    "/gradio_api/component_server",
    "/gradio_api/mcp/",
)


def answer(url: str, path: str, how: str = "GET", **headers: str) -> httpx.Response:
    heads = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(how, url.rstrip("/") + path, headers=heads, **PATIENT)


@pytest.mark.parametrize("path", [*PATHS, *POSTS])
def test_another_host_is_not_answered(url, path) -> None:
    for how in ("GET", "POST", "OPTIONS", "HEAD"):
        for host in (EVIL, f"{EVIL}:{urlsplit(url).port}", "10.0.0.1", ""):
            refused = answer(url, path, how, host=host)
            assert refused.status_code == 421
            assert how == "HEAD" or "--allow-host" in refused.text
            assert EVIL not in refused.text


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("origin", [f"http://{EVIL}", "null", "http://127.0.0.1:1", "nonsense"])
def test_another_website_may_not_call(url, path, origin) -> None:
    for how in ("POST", "OPTIONS"):
        assert answer(url, path, how, origin=origin).status_code == 403


def test_two_hosts_and_two_origins_are_refused(url) -> None:
    own = urlsplit(url).netloc
    for forwarded in (EVIL, f"{own}, {EVIL}"):
        assert answer(url, "/config", x_forwarded_host=forwarded).status_code == 421
    heads = [("origin", f"http://{own}"), ("origin", f"http://{EVIL}")]
    refused = httpx.get(f"{url}config", headers=heads, **PATIENT)
    assert refused.status_code == 403


def test_other_websites_may_link_here_and_no_more(url) -> None:
    across = {"sec_fetch_site": "cross-site"}
    assert answer(url, "/config", **across, sec_fetch_mode="no-cors").status_code == 403
    assert answer(url, "/", **across, sec_fetch_mode="navigate").status_code == 200
    assert answer(url, "/", "POST", **across, sec_fetch_mode="navigate").status_code == 403


def test_its_own_page_and_programs_are_answered(url) -> None:
    own = urlsplit(url)
    for name in ("127.0.0.1", "localhost", "[::1]"):
        host = f"{name}:{own.port}"
        found = answer(url, "/config", host=host, origin=f"http://{host}")
        assert found.status_code == 200
    assert answer(url, "/config").status_code == 200
    files = {"files": ("a.txt", b"text")}
    sent = httpx.post(f"{url}gradio_api/upload", files=files, **PATIENT)
    assert sent.status_code == 200


@pytest.mark.parametrize("path", ["file=https://example.org/a.png", "proxy=https://example.org/"])
def test_nothing_is_fetched_for_others(url, path) -> None:
    assert answer(url, f"/gradio_api/{path}").status_code == 403


@pytest.mark.parametrize("path", ["/etc/hostname", "/etc/no-such-file", "/root"])
def test_what_is_refused_does_not_tell_which_files_exist(url, path) -> None:
    found = answer(url, f"/gradio_api/file={path}")
    assert (found.status_code, found.text.replace(path, "")) == (
        403,
        '{"detail":"File not allowed: ."}',
    )


@pytest.fixture
def proxied(session, examples) -> Iterator[str]:
    page = build(session, examples)
    page.launch(**launch_settings(allowed=["proxy.example"]), prevent_thread_lock=True, quiet=True)
    yield page.local_url
    page.close()


def test_a_proxys_name_is_answered_where_it_is_allowed(proxied) -> None:
    name = "proxy.example"
    assert answer(proxied, "/config", host=name, origin=f"https://{name}").status_code == 200
    # Some proxies call the server by its own name.
    assert answer(proxied, "/config", origin=f"https://{name}").status_code == 200
    assert answer(proxied, "/config", x_forwarded_host=name).status_code == 200
    assert answer(proxied, "/config", host=EVIL).status_code == 421
    assert answer(proxied, "/config", host=name, origin=f"https://{EVIL}").status_code == 403


class Elsewhere(BaseHTTPRequestHandler):
    """A page of another origin, as any program on this machine might serve one."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<!doctype html><p>other</p>")

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.browser
def test_a_browser_finds_the_page_under_its_own_names_alone(browser, url, elsewhere) -> None:
    port = urlsplit(url).port
    # As a website would have it whose name leads here in the meantime.
    leads = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"
    other = browser.browser_type.launch(executable_path=chromium(), args=[*FLAGS, leads])
    try:
        page = new_page(other)
        refused = page.goto(f"http://{EVIL}:{port}/")
        assert refused is not None
        assert refused.status == 421
        for name in ("127.0.0.1", "localhost"):
            page.goto(f"http://{name}:{port}/")
            expect(page.locator("#pv-ask")).to_be_enabled(timeout=1000 * SECONDS)
        page.goto(elsewhere)
        script = """(url) => fetch(url + "gradio_api/call/methods",
            { method: "POST", body: '{"data": []}', mode: "no-cors" }).then((r) => r.type)"""
        with page.expect_response("**/call/methods") as found:
            page.evaluate(script, url)
        assert found.value.status == 403
    finally:
        other.close()
