"""The page's scripts: which are served, how, and that they are modules which share no state."""

from __future__ import annotations

import http.client
import mimetypes
import posixpath
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route, expect

from pruneviz.ui import build, launch_settings
from pruneviz.ui.shared import scripts as shared
from pruneviz.ui.shared.scripts import ENTRY, address, scripts
from pruneviz.ui.shared.static import FOLDER, read_static
from tests.ui.browsing import SECONDS, new_page, scripted

IMPORT = re.compile(r"^import \{([^}]*)\} from \"([^\"]+)\";$", re.MULTILINE)
EXPORT = re.compile(r"^export (?:async )?(?:function|const) (\w+)", re.MULTILINE)
KEPT = re.compile(r"^(?:export )?(?:let|var) ", re.MULTILINE)
SVG = "http://www.w3.org/2000/svg"
TEXTS = {name: text.decode() for name, text in scripts().items()}
TWO = """async (template) => {
  const { mount } = await import("/page.js");
  const points = [10, 5].map((kept) => ({ kept, answer_logprob: -1, lines: [] }));
  const look = { light: "#000", dark: "#fff", path: "M0,0" };
  const curves = [{ name: "a", title: "A", look, points }];
  for (let made = 0; made < 2; made++) {
    const element = document.createElement("div");
    element.innerHTML = template;
    document.body.append(element);
    const props = { value: { curves, chance: [], baseline: "yes", total: 20 } };
    mount("sweep", { element, props, trigger: null, server: {}, watch: () => {} });
  }
  document.querySelector(".pv-serie").click();
  return [...document.querySelectorAll(".pv-sweep")].map((one) => one.dataset.painted);
}"""


def get(url: str, path: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Answer to a path as it is: other clients resolve its dots first."""
    server = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
    server.request("GET", path)
    found = server.getresponse()
    return found.status, found.headers, found.read()


def test_scripts_are_served_as_what_they_are(url, monkeypatch) -> None:
    # As on a system whose own table was changed by another program.
    monkeypatch.setitem(mimetypes.types_map, ".js", "text/plain")
    for name, text in scripts().items():
        status, headers, body = get(url, f"/{address()}/{name}")
        assert (status, body) == (200, text)
        assert headers["content-type"] == "text/javascript; charset=utf-8"
        assert "immutable" in headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "page.py",
        "page.js/",
        "shared/page.css",
        "shared/../page.js",
        "../page.js",
        "../../ui/page.py",
        "..%2f..%2fui%2fpage.py",
        "%2e%2e/%2e%2e/ui/page.py",
        "..%5cpage.py",
        "%2fetc%2fhostname",
        "/etc/hostname",
        f"{FOLDER}/page.js",
    ],
)
def test_nothing_else_is_served_beside_them(url, path) -> None:
    assert get(url, f"/{address()}/{path}")[0] == 404


def test_scripts_of_another_version_are_not_there(url, monkeypatch) -> None:
    before = address()
    monkeypatch.setattr(shared, "scripts", lambda: {**scripts(), ENTRY: b""})
    after = shared.address.__wrapped__()
    assert after != before
    assert get(url, f"/{before}/{ENTRY}")[0] == 200
    assert get(url, f"/{after}/{ENTRY}")[0] == 404


def test_the_page_names_all_scripts_to_the_browser(url) -> None:
    links = get(url, "/")[1]["link"]
    assert {link.partition(";")[0] for link in links.split(", ")} == {
        f"<{address()}/{name}>" for name in scripts()
    }
    assert "link" not in get(url, "/config")[1]


@pytest.mark.parametrize("name", TEXTS)
def test_a_script_imports_what_is_there_and_keeps_nothing_to_itself(name) -> None:
    text = TEXTS[name]
    for names, source in IMPORT.findall(text):
        other = posixpath.normpath(posixpath.join(posixpath.dirname(name), source))
        wanted = {one.split(" as ")[0].strip() for one in names.split(",") if one.strip()}
        assert wanted <= set(EXPORT.findall(TEXTS[other]))
    assert len(IMPORT.findall(text)) == text.count("\nimport ") + text.startswith("import ")
    assert not KEPT.search(text), "state belongs to a component: two may run the same script"
    assert "http" not in text.replace(SVG, "")


@pytest.mark.browser
def test_two_components_of_one_kind_share_nothing(browser) -> None:
    page = scripted(browser)
    painted = page.evaluate(TWO, read_static("sweep/sweep.html"))
    assert painted == ["answer_logprob:kept:0", "answer_logprob:kept:2"]
    page.close()


@pytest.fixture
def below(session, examples) -> Iterator[str]:
    """The page where a proxy has put it below another address."""
    page = build(session, examples)
    settings = launch_settings() | {"allowed_paths": [str(examples[0].image.parent)]}
    page.launch(**settings, root_path="/sub", prevent_thread_lock=True, quiet=True)
    yield f"{page.local_url}sub/"
    page.close()


@pytest.mark.browser
def test_scripts_may_come_late_and_through_a_proxy(browser, below) -> None:
    page, held = new_page(browser), []

    def pass_on(route: Route) -> None:
        if route.request.url.endswith(f"/{ENTRY}") and not held:
            held.append(route)
        else:
            route.continue_(url=route.request.url.replace("/sub/", "/", 1))

    page.route("**/sub/**", pass_on)
    page.goto(below)
    # What needs no script goes on meanwhile.
    expect(page.locator("#pv-status")).to_contain_text("Done")
    expect(page.locator(".pv-view")).not_to_have_attribute("data-state", "ready")
    held[0].continue_(url=held[0].request.url.replace("/sub/", "/", 1))
    expect(page.locator(".pv-view")).to_have_attribute("data-state", "ready")
    expect(page.locator(".pv-thumb")).to_have_count(2)
    expect(page.locator("#pv-keep .pv-mark-same")).to_be_visible()
    page.close()
