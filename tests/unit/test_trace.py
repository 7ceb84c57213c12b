"""Traces survive saving and loading."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pruneviz import Trace, prune
from tests.helpers import prompt, tiny
from tests.pruning.settings import METHODS, fits

SAVERS: dict[str, tuple[Callable[..., None], Callable[..., Trace]]] = {
    "json": (Trace.to_json, Trace.from_json),
    "npz": (Trace.to_npz, Trace.from_npz),
}


def recorded(name: str, images: int = 1) -> Trace:
    model, case = tiny("llama"), prompt("llama", images=images)
    record = ("ttv", "iga", "residual")
    with prune(model, METHODS[name], visual_mask=case.visual, record=record) as run:
        model(**case.inputs)
    return run.trace


def assert_same(a: Trace, b: Trace) -> None:
    plain = ("method", "parameters", "positions", "num_visual", "num_text", "newlines", "shares")
    for name in (*plain, "tokens_per_layer", "kv_lengths"):
        assert getattr(a, name) == getattr(b, name), name
        assert type(getattr(a, name)) is type(getattr(b, name)), name
    assert list(a.signals) == list(b.signals)
    for name, values in a.signals.items():
        assert b.signals[name].dtype == values.dtype
        np.testing.assert_array_equal(b.signals[name], values)
    assert len(a.stages) == len(b.stages)
    for one, two in zip(a.stages, b.stages, strict=True):
        assert (one.layer, one.method, one.notes) == (two.layer, two.method, two.notes)
        assert (one.extra, one.into is None) == (two.extra, two.into is None)
        if one.into is not None and two.into is not None:
            assert two.into.dtype == one.into.dtype
            np.testing.assert_array_equal(two.into, one.into)
        for name in ("alive", "kept", "scores"):
            left, right = getattr(one, name), getattr(two, name)
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right)
        assert list(one.components) == list(two.components)
        for name, values in one.components.items():
            np.testing.assert_array_equal(two.components[name], values)


@pytest.mark.parametrize("saver", SAVERS)
@pytest.mark.parametrize("name", [name for name in METHODS if fits("llama", name)])
def test_round_trip(name: str, saver: str, tmp_path: Path) -> None:
    trace = recorded(name)
    save, load = SAVERS[saver]
    path = tmp_path / f"trace.{saver}"
    save(trace, path)
    again = load(path)
    assert_same(trace, again)
    assert np.isnan(again.signals["ttv"]).any()
    save(trace, str(path))
    assert_same(trace, load(str(path)))


@pytest.mark.parametrize("saver", SAVERS)
def test_round_trip_of_a_token_that_stands_for_no_patch(saver: str, tmp_path: Path) -> None:
    """VisionZip's CLS token is only counted; every patch says where it went."""
    model, case = tiny("llava_clip"), prompt("llava_clip")
    with prune(model, METHODS["visionzip"]) as run:
        model(**case.inputs)
    (stage,) = run.trace.stages
    assert stage.extra == 1
    assert stage.into is not None
    assert (stage.into == -1).sum() == 0
    save, load = SAVERS[saver]
    save(run.trace, tmp_path / "trace")
    assert_same(run.trace, load(tmp_path / "trace"))


@pytest.mark.parametrize("saver", SAVERS)
def test_round_trip_of_newlines_that_count_as_text(saver: str, tmp_path: Path) -> None:
    model, case = tiny("llava_next"), prompt("llava_next")
    with prune(model, METHODS["random"], newlines="text") as run:
        model(**case.inputs)
    assert run.trace.newlines == "text"
    save, load = SAVERS[saver]
    save(run.trace, tmp_path / "trace")
    assert_same(run.trace, load(tmp_path / "trace"))


@pytest.mark.parametrize("saver", SAVERS)
def test_round_trip_without_an_image(saver: str, tmp_path: Path) -> None:
    trace = recorded("transprune", images=0)
    save, load = SAVERS[saver]
    save(trace, tmp_path / f"trace.{saver}")
    again = load(tmp_path / f"trace.{saver}")
    assert again.num_visual == 0
    assert again.stages == ()
    assert again.final_keep_ratio == 1.0


@pytest.mark.parametrize("saver", ["json", "npz"])
def test_the_file_is_written_where_asked(saver: str, tmp_path: Path) -> None:
    """Whatever the name's ending."""
    trace = recorded("fastv")
    save, load = SAVERS[saver]
    save(trace, tmp_path / "trace")
    assert [p.name for p in tmp_path.iterdir()] == ["trace"]
    assert_same(trace, load(tmp_path / "trace"))


def test_json_is_strict_and_readable(tmp_path: Path) -> None:
    trace = recorded("transprune")
    trace.to_json(tmp_path / "t.json")
    text = (tmp_path / "t.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    data = json.loads(text)
    assert data["format"] == 1
    assert data["stages"][0]["kept"] == trace.stages[0].kept.tolist()
    assert data["signals"]["ttv"][5].count(None) == 36 - len(trace.kept)


@pytest.mark.parametrize("data", [{}, {"format": 2}, {"format": None}])
def test_not_a_trace(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Not a trace"):
        Trace.from_dict(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"format": 1}, "incomplete or damaged: KeyError"),
        ([], "found 'list'"),
        ("x", "found 'str'"),
        (None, "found 'NoneType'"),
    ],
)
def test_not_even_a_record(data: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Trace.from_dict(data)  # type: ignore[arg-type]


BROKEN = [
    ("json", b"", "Expecting value"),
    ("json", b"not a trace", "Expecting value"),
    ("json", b"{}", "Not a trace of format 1"),
    ("npz", b"not a trace", "pickle"),
]


@pytest.mark.parametrize(("saver", "content", "message"), BROKEN)
def test_damaged_files(saver: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        SAVERS[saver][1](path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"{}", b"a picture"])
def test_truncated_npz(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="Not a trace, or a damaged one"):
        Trace.from_npz(path)


def test_derived_values() -> None:
    trace = recorded("transprune")
    first, second, third = trace.stages
    assert trace.kept.tolist() == third.kept.tolist()
    assert trace.final_keep_ratio == 7 / 36
    assert trace.layer_average == np.mean(trace.tokens_per_layer)
    assert trace.tokens_per_layer == (36, 36, 28, 18, 18, 7)
    fell = trace.dropped_at
    assert (fell == -1).sum() == 7
    for number, stage in enumerate((first, second, third)):
        assert np.flatnonzero(fell == number).tolist() == stage.dropped.tolist()
        assert sorted([*stage.dropped, *stage.kept]) == stage.alive.tolist()
        kept = np.isin(stage.alive, stage.kept)
        assert stage.cut == stage.scores[kept].min() >= stage.scores[~kept].max()


def test_what_fell_late_ranks_before_what_fell_early() -> None:
    trace = recorded("transprune")
    wanted: list[int] = []
    groups = [trace.kept, *(stage.dropped for stage in trace.stages[::-1])]
    for stage, group in zip([trace.stages[-1], *trace.stages[::-1]], groups, strict=True):
        score = dict(zip(stage.alive.tolist(), stage.scores.tolist(), strict=True))
        wanted += sorted(group.tolist(), key=lambda token: -score[token])
    assert len(groups) == 4
    assert trace.keep_order.tolist() == wanted


@pytest.mark.parametrize("kind", ["json", "npz"])
def test_traces_saved_before_newlines_were_told(kind: str, tmp_path: Path) -> None:
    save, load = SAVERS[kind]
    path, old = tmp_path / "trace", Trace.to_dict
    with pytest.MonkeyPatch.context() as patch:
        without = lambda trace: {k: v for k, v in old(trace).items() if k != "newlines"}  # noqa: E731
        patch.setattr(Trace, "to_dict", without)
        save(recorded("fastv"), path)
    assert load(path).newlines == "visual"


def test_shares_are_told_relative_to_an_even_one(tmp_path: Path) -> None:
    """Over all tokens that a layer saw: times their number, of which the text is a part."""
    trace = recorded("transprune")
    seen = [trace.num_text + count for count in trace.tokens_per_layer]
    assert trace.shares == {"ttv": tuple(seen)}
    assert len(set(seen)) > 1
    relative = trace.relative("ttv")
    np.testing.assert_allclose(relative, trace.signals["ttv"] * np.array(seen)[:, None], rtol=1e-6)
    assert relative.dtype == np.float32
    for name in ("iga", "residual"):
        assert trace.relative(name) is trace.signals[name]
    told = trace.to_dict()
    assert list(told["signals_relative_to_uniform"]) == ["ttv"]
    first = told["signals_relative_to_uniform"]["ttv"][0][0]
    assert first == pytest.approx(seen[0] * told["signals"]["ttv"][0][0])
    del told["shares"], told["signals_relative_to_uniform"]
    assert Trace.from_dict(told).shares == {}, "one written before they were recorded"


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        ({"softmax_scope": "image"}, lambda trace: {"ttv": trace.tokens_per_layer}),
        ({"part": "magnitude"}, lambda trace: {}),
    ],
)
def test_what_a_share_is_shared_over_follows_the_method(
    settings: dict[str, str], sizes: Callable[[Trace], Any]
) -> None:
    model, case = tiny("llama"), prompt("llama")
    method = replace(METHODS["transprune"], **settings)
    with prune(model, method, visual_mask=case.visual, record=["ttv"]) as run:
        model(**case.inputs)
    assert run.trace.shares == sizes(run.trace)
    assert len(set(run.trace.tokens_per_layer)) > 1
    with prune(model, method, visual_mask=case.visual) as run:
        model(**case.inputs)
    assert run.trace.shares == {}, "nothing was recorded"
