"""Tables, figures, summary and report of made-up rows."""

from __future__ import annotations

import base64
import csv
import json
import re
import sys
import types

import pytest

from pruneviz.evaluation import tables
from pruneviz.evaluation.recommending import recommend
from pruneviz.evaluation.report import Facts, report
from pruneviz.evaluation.results import collect
from pruneviz.evaluation.statistics import entries
from pruneviz.evaluation.tables import independence, markdown, p_value, write_parquet
from pruneviz.evaluation.wording import duration, percent, points, rounded
from pruneviz.evaluation.writing import write_outcome
from tests.evaluation.made import marks, plan_of

FULL = ("none", 1.0, None)
COMMAND = "pruneviz evaluate '<b>&.csv' --out out"


@pytest.fixture(scope="module")
def plan_and_rows():
    right = {
        FULL: marks(20, 2),
        ("fopru", 0.5, None): marks(20, 2),
        ("fopru", 0.1, None): marks(20, 12),
        ("downsample", 0.5, None): marks(20, 8),
        ("downsample", 0.1, None): marks(20, 16),
        **{("random", share, seed): marks(20, 9 + seed) for share in (0.5, 0.1) for seed in (0, 1)},
    }
    return plan_of(right, kinds=("what", "<where>"))


@pytest.fixture(scope="module")
def outcome(plan_and_rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("outcome")
    found = write_outcome(folder, *plan_and_rows, 0.01, "<b>&.csv", COMMAND)
    return folder, *found


def read(path):
    return list(csv.DictReader(path.open(encoding="utf-8")))


def test_all_files_are_there(outcome) -> None:
    folder, files, recommended, _ = outcome
    assert {path.name for path in folder.iterdir()} == {path.name for path in files}
    assert {"accuracy.pdf", "accuracy.png", "kinds.pdf", "kinds.png"} <= {p.name for p in files}
    assert (folder / "accuracy.pdf").read_bytes().startswith(b"%PDF")
    assert recommended[0].method in ("fopru", "random", "downsample")


def test_tables(outcome) -> None:
    folder = outcome[0]
    rows = read(folder / "rows.csv")
    assert len(rows) == 20 * 9
    assert json.loads(rows[0]["expected"]) == ["yes"]
    table = {(row["method"], float(row["budget"])): row for row in read(folder / "table.csv")}
    assert float(table["fopru", 0.1]["accuracy"]) == 0.4
    assert float(table["fopru", 0.1]["lost"]) == 10
    assert table["none", 1.0]["p_unpruned"] == ""
    assert table["none", 1.0]["hard_accuracy"] == ""
    assert table["random", 0.5]["seeds"] == "2"
    kinds = read(folder / "kinds.csv")
    assert len(kinds) == 7 * 2
    assert {row["kind"] for row in kinds} == {"what", "<where>"}


def test_markdown_is_a_table(outcome) -> None:
    lines = (outcome[0] / "table.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2 + 7
    assert len({line.count("|") for line in lines}) == 1
    assert "| FoPru | 10 % | 40.0 [" in "\n".join(lines)
    assert "Random (mean of 2 seeds)" in "\n".join(lines)


def test_summary_holds_it_all(outcome) -> None:
    found = json.loads((outcome[0] / "summary.json").read_text(encoding="utf-8"))
    assert found["command"] == COMMAND
    assert found["rows"] == 180
    assert len(found["entries"]) == 7
    assert found["how"]["model"] == "model@1"
    assert all(one["sentence"] for one in found["recommended"])
    assert sorted(one["needed"] is None for one in found["recommended"]) == [False, False, True]


def test_the_report_needs_no_network(outcome) -> None:
    html = (outcome[0] / "report.html").read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy.group(1).startswith("default-src 'none'")
    assert not re.findall(r"https?:|//[a-z]|@import|url\(|<script|<link|<iframe", html)
    sources = re.findall(r'(?:src|srcset|href)="([^"]*)"', html)
    assert sources
    for source in sources:
        kind, _, data = source.partition(";base64,")
        assert kind == "data:image/svg+xml"
        svg = base64.b64decode(data).decode()
        # Names of XML's own, which nothing opens.
        rest = re.sub(r'xmlns(:\w+)?="[^"]*"', "", svg)
        assert not re.findall(r"https?:|@import|url\((?!#)", rest)


def test_the_report_says_what_matters(outcome) -> None:
    html = (outcome[0] / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;&amp;.csv" in html
    assert "<b>" not in html
    assert "<where>" not in html
    first = outcome[2][0].sentence
    assert first.replace("&", "&amp;") in html
    assert "pruneviz evaluate &#x27;&lt;b&gt;" in html
    assert html.count("<figure>") == 4 + 2
    assert 'media="(prefers-color-scheme: dark)"' in html


def test_a_stopped_run_says_so(plan_and_rows, tmp_path) -> None:
    plan, rows = plan_and_rows
    some = {key: rows[key] for number in range(5) for key in plan.ids(number)}
    failed = plan.ids(0)[1]
    some[failed] = {**some[failed], "answer": None, "error": "out of memory"}
    _, _, problems = write_outcome(tmp_path, plan, some, 0.01, "x", COMMAND)
    assert problems[0] == "Only 45 of 180 rows are there: the run was stopped."
    assert problems[1] == "1 rows have an error: out of memory"
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert problems[0] in html
    assert problems[1] in html


def test_nothing_is_there_yet(plan_and_rows, tmp_path) -> None:
    files, recommended, _ = write_outcome(tmp_path, plan_and_rows[0], {}, 0.01, "x", COMMAND)
    assert recommended == []
    assert "not enough answers" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "accuracy.png" not in {path.name for path in files}


def test_kinds_without_an_answer_are_not_drawn(plan_and_rows, tmp_path) -> None:
    """As a run leaves them that was stopped early."""
    plan, rows = plan_and_rows
    first = {key: rows[key] for key in plan.ids(0)}
    files, _, _ = write_outcome(tmp_path, plan, first, 0.01, "x", COMMAND)
    assert {"accuracy.pdf", "kinds.pdf"} <= {path.name for path in files}


def test_without_kinds(tmp_path) -> None:
    plan, rows = plan_of({FULL: marks(4, 0), ("fopru", 0.5, None): marks(4, 1)})
    files, _, _ = write_outcome(tmp_path, plan, rows, 0.01, "x", COMMAND)
    assert "kinds.png" not in {path.name for path in files}
    assert "by kind" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_parquet_where_it_can_be_written(plan_and_rows, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    assert not write_parquet([], tmp_path / "rows.parquet")
    written = {}
    arrow = types.ModuleType("pyarrow")
    arrow.Table = types.SimpleNamespace(from_pylist=list)
    arrow.parquet = types.SimpleNamespace(
        write_table=lambda table, path: written.update({path: table})
    )
    monkeypatch.setattr(tables, "find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "pyarrow", arrow)
    rows = [{"id": "a", "settings": {}}]
    assert write_parquet(rows, tmp_path / "rows.parquet")
    assert written == {tmp_path / "rows.parquet": [{"id": "a", "settings": "{}"}]}


def test_compute_budgets_are_marked() -> None:
    right = {FULL: marks(4, 0), ("fopru", 0.5, None): marks(4, 1)}
    found = entries(collect(*plan_of(right, kind="compute")))
    assert "| FoPru * | 50 % compute |" in markdown(found)


def test_a_method_without_any_answer_is_said(tmp_path) -> None:
    """No budget is within its reach: its row is empty, and a sentence says why."""
    right = {
        FULL: marks(4, 0),
        ("fopru", 0.5, None): marks(4, 1),
        ("fastv", 0.5, None): marks(4, 0),
    }
    plan, rows = plan_of(right, kind="compute")
    empty = dict.fromkeys(("answer", "tokens", "layer_average", "flops", "paper_tflops"))
    for number in range(4):
        rows[plan.ids(number)[2]] |= {**empty, "error": "FastV cannot spend so little."}
    _, recommended, problems = write_outcome(tmp_path, plan, rows, 0.01, "x", COMMAND)
    assert [one.method for one in recommended] == ["fopru"]
    assert problems[1] == (
        "FastV has no answer at any budget asked for, so nothing is said of it: FastV cannot spend "
        "so little."
    )
    line = (tmp_path / "table.md").read_text(encoding="utf-8").splitlines()[-1]
    assert line == "| FastV | 50 % compute | no answer |" + "  |" * 9
    assert "nan" not in (tmp_path / "report.html").read_text(encoding="utf-8").split("<h2>")[3]


def test_words() -> None:
    assert [points(v) for v in (0.01, 0.005, 0.12, -0.0001, -0.01)] == [
        "1 point", "0.5 points", "12 points", "0 points", "-1 points",
    ]  # fmt: skip
    assert [percent(v) for v in (0.0625, 0.5, 1.0)] == ["6.25 %", "50 %", "100 %"]
    assert [rounded(n) for n in (7, 99, 101, 1234, 5810)] == [7, 99, 110, 1300, 5900]
    assert [duration(s) for s in (5.4, 65, 3700)] == ["5 s", "1 min 5 s", "1 h 1 min"]
    assert [p_value(p) for p in (0.00001, 0.0312, 1.0)] == ["< 0.0001", "0.031", "1"]


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_in_a_browser(outcome, browser, width, scheme) -> None:
    """Nothing is fetched or refused, the page is no wider than the window, and pictures show."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto((outcome[0] / "report.html").as_uri())
    assert [url.split(":")[0] for url in asked if not url.startswith("data:")] == ["file"]
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # On a desktop no column is hidden, whatever the numbers.
    fill = "document.querySelectorAll('tr.pareto td:nth-child(n + 3)')"
    page.evaluate(f"{fill}.forEach(cell => cell.textContent = cell.textContent.padEnd(7, '8'))")
    hidden = page.evaluate(
        "[...document.querySelectorAll('.wide')].map(box => box.scrollWidth - box.clientWidth)"
    )
    assert width < 1280 or max(hidden) <= 0
    shown = page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 100)")
    assert shown == [True] * 6
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 28)")
    context.close()


def test_what_questions_of_one_picture_have_in_common_is_said() -> None:
    right = {FULL: marks(40, 0), ("fopru", 0.5, None): marks(40, 8)}
    alone, shared = (recommend(collect(*plan_of(right, each=each))) for each in (1, 4))
    assert independence(alone).endswith("independent; each of them has a picture of its own.")
    assert "these 40 are about 10 pictures: the design effect of the loss is 4" in independence(
        shared
    )
    assert independence([]).endswith("questions as independent.")
    facts = Facts("Questions", "Model", (), "pruneviz")
    told = report(entries(collect(*plan_of(right, each=4))), shared, facts)
    assert "about 10 pictures" in told
