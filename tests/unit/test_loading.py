"""Errors of load_model, and loading a folder."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPImageProcessor,
    LlamaConfig,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from pruneviz import TransPrune, load_model, prune
from pruneviz.errors import ModelLoadError, UnsupportedModelError
from pruneviz.models import tokenizer_of
from tests.helpers import IMAGE, VOCABULARY, prompt, tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole tiny LLaVA on disk."""
    path = tmp_path_factory.mktemp("llava")
    tiny("llava_clip").save_pretrained(path)
    words = {"<image>" if i == IMAGE else f"w{i}": i for i in range(VOCABULARY)}
    spelled = Tokenizer(models.WordLevel(words, unk_token="w0"))  # noqa: S106
    spelled.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=spelled, unk_token="w0")  # noqa: S106
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": 84}, crop_size={"height": 84, "width": 84}),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    ).save_pretrained(path)
    return path


def test_a_local_folder(folder: Path) -> None:
    loaded = load_model(str(folder), device="cpu")
    assert loaded.num_layers == 6
    assert next(loaded.model.parameters()).dtype == torch.float32
    assert not loaded.model.training
    assert tokenizer_of(loaded.model) is loaded.tokenizer
    case = prompt("llava_clip")
    method = TransPrune(prune_layers=(2,), keep_ratios=(0.5,))
    outputs = []
    for model in (tiny("llava_clip"), loaded.model):
        with prune(model, method):
            outputs.append(model(**case.inputs).logits)
    assert torch.equal(*outputs)


def test_dtype(folder: Path) -> None:
    loaded = load_model(str(folder), device="cpu", dtype="bfloat16")
    assert next(loaded.model.parameters()).dtype == torch.bfloat16


@pytest.mark.parametrize("name", ["nowhere/at-all", "no such folder", "/nonexistent", "", "../x"])
def test_unknown_model(name: str) -> None:
    with pytest.raises(ModelLoadError, match="No model found"):
        load_model(name)


def test_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="No model found"):
        load_model(str(tmp_path))
    (tmp_path / "config.json").write_text("{broken")
    with pytest.raises(ModelLoadError, match="No model found"):
        load_model(str(tmp_path))


def test_folder_without_weights_or_processor(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(ModelLoadError, match="There are no weights"):
        load_model(str(tmp_path))
    tiny("llava_clip").save_pretrained(tmp_path)
    with pytest.raises(ModelLoadError, match="Could not load"):
        load_model(str(tmp_path))


def test_unsupported_type_lists_the_supported_ones(tmp_path: Path) -> None:
    LlamaConfig().save_pretrained(tmp_path)
    with pytest.raises(UnsupportedModelError, match="'llama' model") as error:
        load_model(str(tmp_path))
    assert "LlavaForConditionalGeneration" in str(error.value)
    assert "LlamaForCausalLM" not in str(error.value), "it cannot be loaded by name"
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "martian"}))
    with pytest.raises((UnsupportedModelError, ModelLoadError)):
        load_model(str(tmp_path))


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "", "meta-device"])
def test_unknown_device(device: str, folder: Path) -> None:
    with pytest.raises(ModelLoadError, match="device"):
        load_model(str(folder), device=device)


def test_absent_device(folder: Path) -> None:
    with pytest.raises(ModelLoadError, match="Device cuda:99 cannot be used"):
        load_model(str(folder), device="cuda:99")


@pytest.mark.parametrize("dtype", ["float64", "fp16", "", "int8"])
def test_unknown_dtype(dtype: str, folder: Path) -> None:
    with pytest.raises(ModelLoadError, match="float32, float16, bfloat16"):
        load_model(str(folder), dtype=dtype)


def test_quantisation(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelLoadError, match="4bit"):
        load_model(str(folder), quantisation="3bit")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == "bitsandbytes" else find(n, *a)
    )
    with pytest.raises(ModelLoadError, match="bitsandbytes"):
        load_model(str(folder), quantisation="4bit")
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: object())
    with pytest.raises(ModelLoadError, match="CUDA"):
        load_model(str(folder), device="cpu", quantisation="8bit")


@pytest.mark.parametrize("nested", [False, True])
def test_tower_weights_under_either_name(folder: Path, tmp_path: Path, nested: bool) -> None:
    """Releases of transformers save CLIP's tower with or without a level ``vision_model``."""
    copied = tmp_path / "model"
    shutil.copytree(folder, copied)
    weights = load_file(copied / "model.safetensors")
    level = "vision_tower.vision_model." if nested else "vision_tower."
    saved = {re.sub(r"vision_tower\.(vision_model\.)?", level, k): v for k, v in weights.items()}
    save_file(saved, copied / "model.safetensors", metadata={"format": "pt"})
    loaded = load_model(str(copied), device="cpu")
    case = prompt("llava_clip")
    assert torch.equal(loaded.model(**case.inputs).logits, tiny("llava_clip")(**case.inputs).logits)
