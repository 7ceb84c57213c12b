"""lmms-eval itself, with its own task files, on small local copies of benchmarks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

from pruneviz import get_method, load_model, prune
from pruneviz.cli import main
from pruneviz.evaluation import load_cases, read_rows
from tests.lmms.lab import MANY, chosen_cases, prompt, truths

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".lmms" / "bin" / "python"
TASKS = "pope,mme,gqa,textvqa_val"
BUDGET = 0.0625
PRUNED = f"pretrained=embedded,method=random,keep_ratio={BUDGET},seed=5"
REFUSED = """
from pruneviz.lmms.model import PruneVizModel
for name in ("loglikelihood", "generate_until_multi_round"):
    try:
        getattr(PruneVizModel, name)(None, [])
    except NotImplementedError as error:
        open("refused", "a").write(f"{error}\\n")
"""

pytestmark = pytest.mark.slow


class Lab:
    """A folder in which lmms-eval finds benchmarks and this package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        metadata = folder / "plugin" / "pruneviz-0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pruneviz\nVersion: 0\n")
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        entries = project["entry-points"]["lmms_eval.models"]
        lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
        (metadata / "entry_points.txt").write_text(f"[lmms_eval.models]\n{lines}")
        self.run("-c", f"import tests.lmms.write; tests.lmms.write.main()\n{REFUSED}")

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        own = {
            "PYTHONPATH": f"{self.folder / 'plugin'}:{ROOT}", "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(self.folder / "hf"), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        log = (self.folder / "log.txt").open("ab")
        return subprocess.Popen(  # noqa: S603 - our own words
            [str(PYTHON), *words], cwd=self.folder, env=os.environ | own, stdout=log, stderr=log
        )

    def run(self, *words: str) -> None:
        assert self.start(*words).wait() == 0, self.said()

    def said(self) -> str:
        return (self.folder / "log.txt").read_text()[-4000:]

    def score(self, arguments: str) -> subprocess.Popen[bytes]:
        return self.start(
            "-m", "lmms_eval", "--model", "pruneviz", "--model_args", arguments, "--tasks", TASKS,
            "--gen_kwargs", "max_new_tokens=1", "--log_samples", "--output_path", "out",
        )  # fmt: skip

    def journal(self, method: str) -> list[Path]:
        return list(self.folder.glob(f"pruneviz-lmms/{method}-*/rank-0/rows.jsonl"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Lab:
    if not PYTHON.exists():
        pytest.fail("The tests of the backend for lmms-eval need it: run .ci/lmms.")
    return Lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def killed(lab) -> list[str]:
    """Rows that were there when a run was killed; it has been started again since, and ended."""
    first = lab.score(PRUNED)
    while first.poll() is None and not any(
        path.read_bytes().count(b"\n") >= 3 for path in lab.journal("random")
    ):
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    (path,) = lab.journal("random")
    with path.open("ab") as file:
        file.write(b'{"id": "torn')
    there = list(read_rows(path))
    assert lab.score(PRUNED).wait() == 0, lab.said()
    return there


@pytest.fixture(scope="module")
def results(lab, killed) -> dict:
    (path,) = lab.folder.glob("out/**/*results.json")
    return json.loads(path.read_text()) | {"path": path}


@pytest.fixture(scope="module")
def answers() -> dict[str, list[str]]:
    """What the library alone answers to the questions of each task."""
    loaded = load_model(device="cpu")
    method = get_method("random", keep_ratio=BUDGET, seed=5)
    found = {}
    for task, cases in chosen_cases(load_cases("scenes:160")).items():
        found[task] = []
        for case in cases:
            content = [{"type": "image"}, {"type": "text", "text": prompt(task, case)}]
            text = loaded.processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True
            )
            inputs = loaded.processor(images=case.picture.read(), text=text, return_tensors="pt")
            with prune(loaded.model, method):
                made = loaded.model.generate(**inputs, max_new_tokens=1, do_sample=False)
            found[task].append(loaded.tokenizer.decode(made[0, inputs["input_ids"].shape[1] :]))
    return found


def test_a_killed_run_goes_on(lab, killed) -> None:
    assert 3 <= len(killed) < 3 * MANY  # questions of POPE are those of MME
    (path,) = lab.journal("random")
    lines = path.read_text().splitlines()
    assert len(lines) == len(read_rows(path)) == 3 * MANY
    assert [json.loads(line)["id"] for line in lines[: len(killed)]] == killed


def test_answers_are_the_librarys(lab, results, answers) -> None:
    for task, expected in answers.items():
        path = results["path"]
        samples = path.with_name(path.name.replace("results.json", f"samples_{task}.jsonl"))
        lines = [json.loads(line) for line in samples.read_text().splitlines()]
        assert [line["filtered_resps"] for line in lines] == expected
        assert all(line["token_counts"][0]["output_tokens"] == 1 for line in lines)


def test_scores_against_counting_by_hand(results, answers) -> None:
    cases = chosen_cases(load_cases("scenes:160"))
    right = {
        task: [said == true for said, true in zip(answers[task], truths(task, own), strict=True)]
        for task, own in cases.items()
    }
    scores = results["results"]
    assert scores["pope"]["pope_accuracy,none"] == pytest.approx(sum(right["pope"]) / MANY)
    assert scores["gqa"]["exact_match,none"] == pytest.approx(sum(right["gqa"]) / MANY)
    # Of ten answers nine agree: 0.9 * min(1, 8 / 3) + 0.1 * min(1, 9 / 3) is 1.
    assert scores["textvqa_val"]["exact_match,none"] == pytest.approx(
        sum(right["textvqa_val"]) / MANY
    )
    pairs = zip(right["mme"][::2], right["mme"][1::2], strict=True)
    points = [50 * (a + b) + 100 * (a and b) for a, b in pairs]
    assert scores["mme"]["mme_perception_score,none"] == pytest.approx(2 * sum(points) / MANY)
    assert 0 < sum(map(sum, right.values())) < 4 * MANY


def test_tokens_and_flops_are_in_the_results(results) -> None:
    measured = results["throughput"]
    assert measured["avg_visual_tokens"] == 256
    assert measured["avg_visual_tokens_kept"] == 16
    assert measured["avg_gqa/layer_average"] == 16
    assert measured["avg_pope/flops"] > measured["avg_pope/kv_bytes"] > 0


def test_what_needs_likelihoods_is_refused_in_a_sentence(lab) -> None:
    told = (lab.folder / "refused").read_text()
    assert "log-likelihoods" in told
    assert "several rounds" in told


def test_runs_are_merged_against_the_unpruned_one(lab, results, capsys) -> None:
    assert lab.score("pretrained=embedded,method=none").wait() == 0, lab.said()
    out = lab.folder / "merged"
    assert main(["evaluate", "--from-lmms", str(lab.folder / "out"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "There is no" not in said
    rows = json.loads((out / "benchmarks.json").read_text())["rows"]
    assert [row["method"] for row in rows] == ["none"] * 4 + ["random"] * 4
    assert {row["task"] for row in rows} == set(TASKS.split(","))
    assert all(row["lost"] is not None for row in rows[4:])
    assert rows[4]["flops_share"] < 1
