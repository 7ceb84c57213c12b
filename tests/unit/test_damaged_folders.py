"""Folders of models with something missing, damaged or hostile in them."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from pruneviz import load_model
from pruneviz.engine import Session
from pruneviz.errors import ModelLoadError, PruneVizError
from pruneviz.models.core.fetching import fetching
from pruneviz.models.core.whole import check_keys
from tests.folders import save_tiny

Weights = dict[str, torch.Tensor]
Change = Callable[[Weights], Weights]
FILES = (
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
UP = "language_model.model.layers.1.mlp.up_proj.weight"
UNSAFE = ("trust_remote_code", "weights_only", "ignore_mismatched_sizes")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(save_tiny(tmp_path_factory.mktemp("whole") / "tiny"))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "model"))


def refused(folder: Path) -> str:
    """What is said about a folder that cannot be loaded."""
    with pytest.raises(PruneVizError) as error:
        load_model(str(folder), device="cpu")
    told = str(error.value)
    assert not any(advice in told for advice in UNSAFE)
    return told


def said_of(folder: Path) -> str | None:
    """The same of one that may be loaded: then None."""
    try:
        load_model(str(folder), device="cpu")
    except PruneVizError as error:
        return str(error)
    return None


def rewrite(folder: Path, change: Change) -> None:
    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


def without(part: str) -> Change:
    return lambda held: {name: value for name, value in held.items() if part not in name}


def spoilt(name: str, value: float) -> Change:
    def change(held: Weights) -> Weights:
        held[name].view(-1)[3] = value
        return held

    return change


def deeper(held: Weights) -> Weights:
    more = {k.replace("layers.3", "layers.4"): v.clone() for k, v in held.items() if "ers.3." in k}
    return held | more


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("vision_tower"), r"lack .*vision_tower\..* and \d+ others"),
        (without("multi_modal_projector"), r"lack .*projector.linear_1.bias.*linear_2.weight"),
        (without(UP), r"lack .*\(model.language_model.layers.1.mlp.up_proj.weight\)"),
        (lambda held: held | {"some.thing": torch.ones(2)}, r"no place for \(some.thing\)"),
        (deeper, r"no place for \(.*layers.4.*layers.4"),
        (
            lambda held: without(UP)(held) | {UP.replace("up", "upp"): held[UP]},
            r"lack .*up_proj.weight.*no place for .*upp_proj",
        ),
        (lambda held: held | {UP: held[UP][:-1].clone()}, r"shape \(.*is \[95, 64\] .* \[96, 64\]"),
        (lambda held: held | {UP: held[UP].to(torch.int64)}, r"up_proj.* whole numbers \(I64\)"),
        (spoilt(UP, math.nan), r"weight 'model.language_model.layers.1.mlp.up_proj.weight'"),
        (spoilt(UP, math.inf), r"holds NaN or infinity"),
        (spoilt(UP, -math.inf), r"holds NaN or infinity"),
        (spoilt("vision_tower.vision_model.embeddings.class_embedding", math.nan), "class_embed"),
    ],
)
def test_weights_that_are_not_the_models(folder: Path, change: Change, told: str) -> None:
    def named(held: Weights) -> Weights:
        # Releases of transformers save CLIP's tower with or without a level more.
        nested = any("vision_tower.vision_model." in name for name in held)
        return held if nested else {_nested(name): value for name, value in held.items()}

    rewrite(folder, lambda held: change(named(held)))
    said = refused(folder)
    assert re.search(told, said), said


def _nested(name: str) -> str:
    return name.replace("vision_tower.", "vision_tower.vision_model.")


def test_what_could_not_be_read_in_part_is_no_model() -> None:
    report: dict[str, Any] = {"missing_keys": set(), "unexpected_keys": set()}
    check_keys("it", report)
    with pytest.raises(ModelLoadError, match=r"read in part \(no such tensor\)"):
        check_keys("it", report | {"error_msgs": ["no such tensor"]})


def shard(folder: Path) -> dict[str, Any]:
    """The same weights in two files; returns the list of them."""
    held = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(held)
    homes = {name: f"model-0000{1 + n % 2}-of-00002.safetensors" for n, name in enumerate(names)}
    for file in set(homes.values()):
        own = {name: held[name] for name in names if homes[name] == file}
        save_file(own, folder / file, metadata={"format": "pt"})
    return {"metadata": {}, "weight_map": homes}


def write_index(folder: Path, index: Any) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_weights_in_parts(folder: Path) -> None:
    index = shard(folder)
    write_index(folder, index)
    load_model(str(folder), device="cpu")
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert "The file 'model-00002-of-00002.safetensors' is missing" in refused(folder)


@pytest.mark.parametrize("index", [[], {}, None, {"weight_map": "x"}, {"weight_map": {"a": 3}}, 7])
def test_a_damaged_list_of_parts(folder: Path, index: Any) -> None:
    shard(folder)
    write_index(folder, index)
    assert "model.safetensors.index.json' is damaged" in refused(folder)


def test_a_list_that_leaves_weights_out(folder: Path) -> None:
    index = shard(folder)
    left = {name: file for name, file in index["weight_map"].items() if "00001-of" in file}
    write_index(folder, {"metadata": {}, "weight_map": left})
    assert "lack weights that the model has" in refused(folder)


@pytest.mark.parametrize("size", [0, 5, 2000, -100])
def test_weights_that_are_cut_off(folder: Path, size: int) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:size])
    assert "model.safetensors' are damaged or cut off" in refused(folder)


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickled_weights_are_not_read(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Hostile(tmp_path / "run")))
    assert f"'{name}' is not read: files of that kind can hold code" in refused(folder)
    assert not (tmp_path / "run").exists()


CODE = """
import pathlib
from transformers import *
pathlib.Path({run!r}).mkdir(exist_ok=True)
class Own{base}({base}):
    model_type = "own"
"""


def hostile(folder: Path, run: Path, file: str, entry: str, base: str, **more: Any) -> None:
    """Name a class of the folder's own in one of its files."""
    (folder / "own.py").write_text(CODE.format(run=str(run), base=base))
    path = folder / file
    held = json.loads(path.read_text()) | {"auto_map": {entry: f"own.Own{base}"}} | more
    path.write_text(json.dumps(held))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the terminal was asked."""
    heard = list[str]()
    monkeypatch.setattr("builtins.input", lambda text="": heard.append(text) or "n")
    return heard


@pytest.mark.parametrize("change", [{"model_type": "own"}, {"model_type": None}])
def test_a_model_of_its_own_code(
    folder: Path, tmp_path: Path, asked: list[str], change: dict[str, Any]
) -> None:
    run = tmp_path / "run"
    hostile(folder, run, "config.json", "AutoConfig", "LlavaConfig", **change)
    assert "no code from a model's folder is ever run" in refused(folder)
    with pytest.raises(ModelLoadError, match="no code from a model's folder"):
        list(fetching(str(folder)))
    assert not run.exists()
    assert not asked


@pytest.mark.parametrize(
    ("file", "entry", "base", "more"),
    [
        ("config.json", "AutoConfig", "LlavaConfig", {}),
        ("config.json", "AutoModelForImageTextToText", "LlavaForConditionalGeneration", {}),
        ("processor_config.json", "AutoProcessor", "LlavaProcessor", {}),
        ("processor_config.json", "AutoProcessor", "LlavaProcessor", {"processor_class": "Own"}),
        ("tokenizer_config.json", "AutoTokenizer", "PreTrainedTokenizerFast", {}),
        (
            "tokenizer_config.json",
            "AutoTokenizer",
            "PreTrainedTokenizerFast",
            {"tokenizer_class": "Own"},
        ),
    ],
)
def test_code_beside_what_transformers_has(
    folder: Path,
    tmp_path: Path,
    asked: list[str],
    file: str,
    entry: str,
    base: str,
    more: dict[str, Any],
) -> None:
    """It is passed by, or the folder is refused: run it is not, and nobody is asked."""
    run = tmp_path / "run"
    hostile(folder, run, file, entry, base, **more)
    custom = folder / "custom_generate"
    custom.mkdir()
    (custom / "generate.py").write_text(CODE.format(run=str(run), base=base))
    said = said_of(folder)
    assert said is None or not any(advice in said for advice in UNSAFE)
    assert not run.exists()
    assert not asked


@pytest.mark.parametrize("names", ["somebody/kernels", {"text_config": "somebody/kernels"}])
def test_an_attention_of_somebody_is_not_fetched(folder: Path, names: Any) -> None:
    path = folder / "config.json"
    held = json.loads(path.read_text()) | {"attn_implementation": names}
    path.write_text(json.dumps(held))
    assert "names code of somebody's for attention ('somebody/kernels')" in refused(folder)


@pytest.mark.parametrize("content", ["", "cut", "[]", "null", "{}", "bytes", "7", '"text"'])
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_is_an_error_or_not_needed(folder: Path, file: str, content: str) -> None:
    path = folder / file
    whole = path.read_bytes()
    damaged = {"cut": whole[: len(whole) // 2], "bytes": bytes(range(256)) * 4}
    path.write_bytes(damaged.get(content, content.encode()))
    spare = bool({"chat_template.jinja", "generation_config.json"} & {file}) or content == "{}"
    said = said_of(folder)
    assert said is not None or spare, "what is needed was read from nothing"
    assert not any(advice in (said or "") for advice in UNSAFE)


@pytest.mark.parametrize("value", [None, "x", -1, [], {}, 1.5, 10**9])
@pytest.mark.parametrize(
    "entry",
    ["image_token_index", "image_seq_length", "projector_hidden_act", "vision_feature_layer"],
)
def test_a_configuration_of_other_kinds(folder: Path, entry: str, value: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {entry: value}))
    try:
        loaded = load_model(str(folder), device="cpu")
    except PruneVizError:
        return
    Session(loaded).prepare(_picture(), "what is this?")


@pytest.mark.parametrize(
    ("file", "entry", "value", "told"),
    [
        ("generation_config.json", "eos_token_id", "x", "eos_token_id must be token ids"),
        ("generation_config.json", "eos_token_id", [1, "x"], "eos_token_id must be token ids"),
        ("generation_config.json", "output_hidden_states", "x", "true or false"),
        ("generation_config.json", "repetition_penalty", "x", "must be a number"),
        ("processor_config.json", "image_token", 9, "belong together|Could not load"),
        ("config.json", "image_token_index", 3, "0 places for the 64 tokens"),
        ("config.json", "image_token_index", -7, "0 places for the 64 tokens"),
    ],
)
def test_settings_that_do_not_fit(
    folder: Path, file: str, entry: str, value: Any, told: str
) -> None:
    path = folder / file
    held = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(held | {entry: value}))
    with pytest.raises(ModelLoadError, match=told):
        load_model(str(folder), device="cpu")


def test_a_template_that_leaves_the_question_out(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("<image> what is this")
    assert "the chat template leaves the question out" in refused(folder)


def test_a_tokenizer_of_another_model(folder: Path) -> None:
    path = folder / "tokenizer.json"
    held = json.loads(path.read_text())
    held["model"]["vocab"]["is"] = 10**6
    path.write_text(json.dumps(held))
    assert "tokens beyond the model's" in refused(folder)


def _picture() -> Any:
    return Image.new("RGB", (90, 70), (200, 30, 30))
