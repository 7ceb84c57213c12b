"""Random weights at the geometry of real models."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pruneviz.engine.bench import GEOMETRIES, from_geometry, geometry, set_attention, shape_of
from pruneviz.engine.bench.geometry import _config, _inputs, _model
from pruneviz.engine.bench.subject import Subject
from pruneviz.errors import InputError, ModelLoadError
from pruneviz.models.registry import find_adapter

PARAMETERS = {
    "llava-1.5-7b": 7_063_427_072,
    "llava-1.5-13b": 13_351_494_656,
    "llava-next-7b": 7_063_431_168,
    "qwen2.5-vl-3b": 3_754_622_976,
    "qwen2.5-vl-7b": 8_292_166_656,
    "qwen3-vl-4b": 4_437_815_808,
}
"""Of the published checkpoints."""
REAL = tuple(PARAMETERS)


@pytest.mark.parametrize("name", REAL)
def test_sizes_are_those_of_the_checkpoints(name) -> None:
    config, _ = _config(GEOMETRIES[name], None)
    with torch.device("meta"):
        model = _model(config, torch.bfloat16)
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
    assert next(model.parameters()).dtype == torch.bfloat16


def narrow(name: str) -> Subject:
    """The geometry's image, prompt and kind, with layers of almost no width."""
    real = GEOMETRIES[name]
    wide = 128  # a single head of the real head's width: sections of M-RoPE fill it
    text = dict(real.config["text_config"]) | {
        "hidden_size": wide,
        "intermediate_size": 32,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "num_hidden_layers": 3,
    }
    vision = dict(real.config["vision_config"]) | {"hidden_size": 32, "intermediate_size": 32}
    vision |= {key: 2 for key in ("num_heads", "num_attention_heads") if key in vision}
    vision |= {"out_hidden_size": wide} if "out_hidden_size" in vision else {}
    small = replace(real, config={**real.config, "text_config": text, "vision_config": vision})
    config, _ = _config(small, None)
    model = _model(config, torch.float32).eval()
    inputs = _inputs(small, config, torch.device("cpu"), torch.float32)
    return Subject(name, model, find_adapter(model), inputs)


@pytest.mark.parametrize("name", REAL)
def test_prompts_are_as_long_as_said(name) -> None:
    """Each model refuses an image whose features are not as many as its tokens."""
    one = narrow(name)
    with torch.no_grad():
        one.model(**one.inputs, logits_to_keep=1)
    assert (one.num_visual, one.length) == (GEOMETRIES[name].visual, GEOMETRIES[name].length)
    shape = one.shape
    assert (shape.encoder_tokens, shape.encoder_crops) == (
        GEOMETRIES[name].encoded,
        GEOMETRIES[name].crops,
    )
    if name == "llava-next-7b":
        assert replace(one, newlines="text").num_visual == 2880


def test_the_shape_is_that_of_the_built_model() -> None:
    assert shape_of("tiny", 4) == from_geometry("tiny", device="cpu").shape


def test_tiny() -> None:
    one = from_geometry("tiny", device="cpu")
    assert (one.num_layers, one.num_visual, one.length) == (6, 64, 80)
    assert one.model.dtype == torch.float32
    again = from_geometry("tiny", device="cpu")
    assert all(torch.equal(value, again.inputs[key]) for key, value in one.inputs.items())


def test_only_some_layers_are_said_to_be_some() -> None:
    one = from_geometry("tiny", device="cpu", layers=2, dtype="bfloat16", attention="eager")
    assert one.num_layers == 2
    assert "only 2 of its 6 decoder layers" in one.title
    assert one.model.dtype == torch.bfloat16
    assert one.model.config._attn_implementation == "eager"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "llava-2"}, "Geometries: llava-1.5-7b, llava-1.5-13b,"),
        ({"layers": 0}, "layers must be 1 to 6"),
        ({"layers": 7}, "layers must be 1 to 6"),
        ({"dtype": "int8"}, "dtype must be one of"),
        ({"attention": "flex"}, "attention must be one of"),
    ],
)
def test_what_cannot_be_had_is_refused(changes, words) -> None:
    with pytest.raises(InputError, match=words):
        from_geometry(**{"name": "tiny", "device": "cpu", **changes})


def test_flash_attention_says_what_is_missing(monkeypatch) -> None:
    one = from_geometry("tiny", device="cpu")
    monkeypatch.setattr("pruneviz.engine.bench.subject.find_spec", lambda _: None)
    with pytest.raises(InputError, match="pip install flash-attn"):
        set_attention(one, "flash_attention_2")
    monkeypatch.setattr("pruneviz.engine.bench.subject.find_spec", lambda name: name)
    with pytest.raises(InputError, match="needs a CUDA device"):
        set_attention(one, "flash_attention_2")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "does not fit into cpu. Build fewer"),
        (AssertionError("Torch not compiled with CUDA enabled"), "Device cpu cannot be used"),
    ],
)
def test_a_model_that_cannot_be_built_is_told(monkeypatch, error, words) -> None:
    own = geometry._model

    def full(config, dtype):
        if torch.get_default_device().type != "meta":
            raise error
        return own(config, dtype)

    monkeypatch.setattr(geometry, "_model", full)
    with pytest.raises(ModelLoadError, match=words):
        from_geometry("tiny", device="cpu")


def test_memory_is_looked_at_before_it_is_taken(monkeypatch) -> None:
    built = []
    own = geometry._model

    def noted(config, dtype):
        built.append(torch.get_default_device().type)
        # Never the real thing: a machine that is too small would end more than this test.
        with torch.device("meta"):
            return own(config, dtype)

    monkeypatch.setattr(geometry, "_model", noted)
    monkeypatch.setattr(geometry, "_inputs", lambda *_: {})
    monkeypatch.setattr(geometry, "free_memory", lambda _: 20 * 2**30)
    with pytest.raises(ModelLoadError, match=r"takes 2[67]\.\d GiB.*20\.0 GiB free.*--layers"):
        from_geometry("llava-1.5-7b", device="cpu", dtype="float32")
    assert built == ["meta"]
