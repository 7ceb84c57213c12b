"""A configuration that nothing can be made of is refused before anything is made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from pruneviz import load_model
from pruneviz.engine import Placement, Shelf
from pruneviz.engine import outlook as outlooks
from pruneviz.errors import ModelLoadError
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.models.core.sizing import LARGEST, check_configuration, configured_bytes
from pruneviz.models.core.weights import weight_bytes
from tests.folders import copy_embedded
from tests.helpers import tiny

FAMILIES = (
    "llava_clip",
    "llava_siglip",
    "llava_next",
    "llava_onevision",
    "qwen2_vl",
    "qwen25_vl",
    "qwen3_vl",
    "internvl",
    "smolvlm",
)


@pytest.fixture
def folder(tmp_path) -> Path:
    return Path(copy_embedded(tmp_path / "model"))


def change(folder: Path, part: str, **values) -> str:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    (config[part] if part else config).update(values)
    path.write_text(json.dumps(config))
    return str(folder)


@pytest.mark.parametrize("left_out", ["all", "layers"])
def test_defaults_that_are_far_larger_than_the_weights(folder, left_out) -> None:
    """Transformers takes those of a model of 7 billion parameters, and draws what is missing."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    text = None if left_out == "all" else {"model_type": config["text_config"]["model_type"]}
    path.write_text(json.dumps(config | {"text_config": text}))
    shelf = Shelf(any_name=True, placement=Placement(device="cpu"))
    for use in (load_model, shelf.session, shelf.fetch):
        with pytest.raises(ModelLoadError, match="of a larger model than the weights"):
            use(str(folder))


@pytest.mark.parametrize("part", ["text_config", "vision_config"])
@pytest.mark.parametrize("layers", [100_000, 10**30])
def test_more_layers_than_any_model_has(folder, part, layers, monkeypatch) -> None:
    name = change(folder, part, num_hidden_layers=layers)
    monkeypatch.setattr(
        "transformers.AutoConfig.from_pretrained", lambda *_, **__: pytest.fail("read")
    )
    shelf = Shelf(any_name=True, placement=Placement(device="cpu"))
    for use in (load_model, shelf.session, shelf.look, shelf.fetch, shelf.check):
        with pytest.raises(ModelLoadError, match=f"asks for {layers} layers"):
            use(name)


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("text_config", {"num_hidden_layers": 900}),
        ("text_config", {"hidden_size": 10**6}),
        ("text_config", {"intermediate_size": 10**7}),
        ("text_config", {"vocab_size": 10**9}),
        ("vision_config", {"num_hidden_layers": 500}),
        ("vision_config", {"image_size": 10**6}),
    ],
)
def test_a_larger_model_than_its_weights(folder, part, values) -> None:
    name = change(folder, part, **values)
    with pytest.raises(ModelLoadError, match="of a larger model than the weights beside it"):
        load_model(name)


def test_memory_is_told_from_the_configuration_where_there_are_no_headers(
    folder, monkeypatch
) -> None:
    name = change(folder, "text_config", vocab_size=10**8)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    check_configuration(name)
    assert weight_bytes(name) is None
    assert configured_bytes(name, torch.float32) > 4 * 192 * 10**8
    assert configured_bytes(name, torch.float16) * 2 == configured_bytes(name, torch.float32)
    monkeypatch.setattr(outlooks, "free_memory", lambda _: 10**9)
    shelf = Shelf((name,), placement=Placement(device="cpu"))
    with pytest.raises(ModelLoadError, match="does not fit into the memory of cpu"):
        shelf.session()


def test_the_estimate_is_below_what_is_there() -> None:
    stored, least = weight_bytes(EMBEDDED, torch.float32), configured_bytes(EMBEDDED, torch.float32)
    assert 0.5 * stored < least <= stored


@pytest.mark.parametrize("family", FAMILIES)
def test_no_family_is_refused(family, tmp_path) -> None:
    tiny(family).save_pretrained(tmp_path)
    check_configuration(str(tmp_path))
    least = configured_bytes(str(tmp_path), torch.float32)
    assert 0 < least <= 1.05 * weight_bytes(str(tmp_path), torch.float32)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"num_hidden_layers": "many"}', "[" * 100_000])
def test_what_cannot_be_read_is_left_to_loading(tmp_path, text) -> None:
    (tmp_path / "config.json").write_text(text)
    check_configuration(str(tmp_path))
    assert not configured_bytes(str(tmp_path))


def test_a_configuration_of_many_megabytes_is_not_read(folder) -> None:
    name = change(folder, "text_config", num_hidden_layers=10**6)
    with (folder / "config.json").open("a") as file:
        file.write(" " * LARGEST)
    assert configured_bytes(name) is None
    check_configuration("no/model")
