"""Checkpoints as they lie on the hub, only smaller: loaded, asked, pruned.

None of them can be downloaded where tests run, and files differ from what this release of
transformers would save: older names of weights, settings in other places, other templates.
"""

from __future__ import annotations

import json
import pkgutil
import shutil
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from pruneviz import FoPru, TransPrune, load_model, prune
from pruneviz.engine import Prepared, Session, Settings
from pruneviz.errors import ModelLoadError
from pruneviz.methods import Method
from pruneviz.models.core import loading
from pruneviz.models.core.weights import weight_bytes
from pruneviz.models.core.words import content_tokens
from tests.models.sessions import noise
from tests.replicas import checkpoints
from tests.replicas.checkpoint import QUESTION, SIZE, Checkpoint, plain

FILES = [
    import_module(f"{checkpoints.__name__}.{f.name}")
    for f in pkgutil.iter_modules(checkpoints.__path__)
]
CHECKPOINTS = {
    file.CHECKPOINT.hub: file.CHECKPOINT for file in FILES if hasattr(file, "CHECKPOINT")
}
LLAVA = CHECKPOINTS["llava-hf/llava-1.5-7b-hf"]
Files = tuple[Path, dict[str, torch.Tensor]]


@pytest.fixture(scope="module", params=CHECKPOINTS)
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    return CHECKPOINTS[request.param]


@pytest.fixture(scope="module")
def written(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Files]:
    folder = tmp_path_factory.mktemp("replica")
    yield folder, checkpoint.write(folder)
    shutil.rmtree(folder)  # 20 megabytes


@pytest.fixture(scope="module")
def session(checkpoint: Checkpoint, written: Files) -> Session:
    if not checkpoint.images_can_be_prepared():
        pytest.skip("This release of transformers prepares its images by torchvision alone.")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return Session(load_model(str(written[0]), device="cpu"))


@pytest.fixture(scope="module")
def prepared(session: Session) -> Prepared:
    return session.prepare(noise(SIZE), QUESTION)


def test_every_weight_is_the_files(
    checkpoint: Checkpoint, written: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing stays at random, and the head is the embedding only where it has no weights.

    In the stored dtype, as on a GPU.
    """
    folder, weights = written
    monkeypatch.setattr(loading, "pick_dtype", lambda *_: "auto")
    assert weight_bytes(str(folder)) == sum(weight.nbytes for weight in weights.values())
    if not checkpoint.images_can_be_prepared():
        words = SimpleNamespace(tokenizer=AutoTokenizer.from_pretrained(folder))
        monkeypatch.setattr(loading, "_processor", lambda *_: words)
        monkeypatch.setattr(loading, "check_together", lambda *_: None)  # nothing sees pictures
    model = load_model(str(folder), device="cpu").model
    found = {plain(name): value for name, value in model.state_dict().items()}
    if checkpoint.tied:
        weights = weights | {"lm_head.weight": weights["model.language_model.embed_tokens.weight"]}
    assert set(found) == set(weights)
    assert {value.dtype for value in found.values()} == {checkpoint.dtype}
    assert not [name for name in weights if not torch.equal(found[name], weights[name])]


def test_the_prompt_is_what_the_template_demands(
    checkpoint: Checkpoint, session: Session, prepared: Prepared
) -> None:
    """And its one word of content is found."""
    tokenizer, ids = session.loaded.tokenizer, prepared.input_ids[0]
    assert ids.tolist() == checkpoint.spelling.ids(checkpoint.prompt)
    visual = ids == checkpoint.spelling.special[checkpoint.placeholder]
    assert torch.equal(prepared.visual_mask[0], visual)
    assert prepared.grid.num_tokens == checkpoint.prompt.count(checkpoint.placeholder)
    after = ids[visual.nonzero().max() + 1 :].tolist()
    named = zip(after, content_tokens(tokenizer, after), strict=True)
    assert tokenizer.decode([token for token, content in named if content]) == "cat"


@pytest.mark.parametrize("method", [FoPru(keep_ratio=0.25), TransPrune.at(0.25, 4)])
def test_it_answers_and_prunes(session: Session, prepared: Prepared, method: Method) -> None:
    """As `generate` does from ids and pixels."""
    done = session.compare(prepared, method, Settings(max_new_tokens=4))
    loaded = session.loaded
    inputs = loaded.adapter.prepare(loaded.processor, loaded.model, prepared.image, QUESTION)
    for answer, block in (
        (done.baseline, nullcontext()),
        (done.pruned, prune(loaded.model, method)),
    ):
        with block:
            made = loaded.model.generate(**inputs, max_new_tokens=4, do_sample=False)
        assert list(answer.token_ids) == made[0, inputs["input_ids"].shape[1] :].tolist()
    assert len(done.pruned.trace.kept) == prepared.grid.num_tokens // 4


@pytest.mark.parametrize("checkpoint", ["Qwen/Qwen2.5-VL-3B-Instruct"], indirect=True)
def test_the_prompts_words_count_as_said_before(
    session: Session, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a checkpoint punishes repetition; a higher penalty shows it in a few words."""
    loaded, ids = session.loaded, prepared.input_ids[0].tolist()
    settings = loaded.model.generation_config
    assert settings.repetition_penalty == 1.05
    monkeypatch.setattr(settings, "repetition_penalty", 3.0)
    # By itself a model with random weights would hardly say any of them.
    others = set(range(loaded.model.config.get_text_config().vocab_size)) - set(ids)
    monkeypatch.setattr(settings, "suppress_tokens", sorted(others)[3:])
    inputs = loaded.adapter.prepare(loaded.processor, loaded.model, prepared.image, QUESTION)
    made = loaded.model.generate(**inputs, max_new_tokens=6, do_sample=False)
    answer = Session(loaded).baseline(prepared, Settings(max_new_tokens=6))
    assert list(answer.token_ids) == made[0, len(ids) :].tolist()


@pytest.mark.parametrize("checkpoint", [c for c in CHECKPOINTS if "llava-1.5" in c or "v1.6" in c])
def test_a_snapshot_from_before_processors_had_settings(tmp_path: Path, checkpoint: str) -> None:
    older = CHECKPOINTS[checkpoint]
    if not older.images_can_be_prepared():
        pytest.skip("This release of transformers prepares its images by torchvision alone.")
    older.write(tmp_path)
    (tmp_path / "processor_config.json").unlink()
    prepared = Session(load_model(str(tmp_path), device="cpu")).prepare(noise(SIZE), QUESTION)
    assert prepared.input_ids[0].tolist() == older.spelling.ids(older.prompt)


def test_entries_that_no_module_has_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older releases saved these, too."""
    monkeypatch.setattr(loading, "check_together", lambda *_: None)  # nothing sees pictures
    older = replace(
        LLAVA,
        unknown={
            "language_model.model.layers.0.self_attn.rotary_emb.inv_freq": (4,),
            "vision_tower.vision_model.embeddings.position_ids": (1, 577),
        },
    )
    weights = older.write(tmp_path)
    model = load_model(str(tmp_path), device="cpu").model
    found = {plain(name): value for name, value in model.named_parameters()}
    assert not [name for name in weights if not torch.equal(found[name], weights[name].float())]


def test_a_model_without_some_of_its_weights_is_refused(tmp_path: Path) -> None:
    """It would answer with these at random."""
    LLAVA.write(tmp_path)
    lacking = "multi_modal_projector.linear_2.bias"
    index = tmp_path / "model.safetensors.index.json"
    listed = json.loads(index.read_text(encoding="utf-8"))
    file = tmp_path / listed["weight_map"].pop(lacking)
    index.write_text(json.dumps(listed), encoding="utf-8")
    kept = {name: weight for name, weight in load_file(file).items() if name != lacking}
    save_file(kept, file, metadata={"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"lack weights .*linear_2\.bias"):
        load_model(str(tmp_path), device="cpu")
