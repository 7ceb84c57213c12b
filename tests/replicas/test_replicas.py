"""Checkpoints as they lie on the hub, only smaller: loaded, asked, pruned.

None of them can be downloaded where tests run, and files differ from what this release of
transformers would save: older names of weights, settings in other places, other templates.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

import pytest
import torch

from pruneviz import FoPru, TransPrune, load_model
from pruneviz.engine import Session
from pruneviz.models.core.loading import LoadedModel
from tests.models.sessions import check_session, noise
from tests.replicas import checkpoints
from tests.replicas.checkpoint import QUESTION, SIZE, Checkpoint, plain

FILES = [import_module(f"{checkpoints.__name__}.{f.name}") for f in pkgutil.iter_modules(checkpoints.__path__)]
CHECKPOINTS = {file.CHECKPOINT.hub: file.CHECKPOINT for file in FILES if hasattr(file, "CHECKPOINT")}


@pytest.fixture(scope="module", params=CHECKPOINTS)
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    return CHECKPOINTS[request.param]


@pytest.fixture(scope="module")
def written(
    checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, torch.Tensor]]:
    folder = tmp_path_factory.mktemp("replica")
    return folder, checkpoint.write(folder)


@pytest.fixture(scope="module")
def loaded(written: tuple[Path, dict[str, torch.Tensor]]) -> LoadedModel:
    return load_model(str(written[0]), device="cpu")


def test_every_weight_is_the_files(
    checkpoint: Checkpoint, written: tuple[Path, dict[str, torch.Tensor]], loaded: LoadedModel
) -> None:
    """Nothing stays at random, and the head is the embedding only where it has no weights."""
    files = written[1]
    found = {plain(name): weight for name, weight in loaded.model.state_dict().items()}
    if checkpoint.tied:
        files = files | {"lm_head.weight": files["model.language_model.embed_tokens.weight"]}
    assert set(found) == set(files)
    wrong = [name for name in files if not torch.equal(found[name], files[name].float())]
    assert not wrong


def test_the_prompt_is_what_the_template_demands(checkpoint: Checkpoint, loaded: LoadedModel) -> None:
    prepared = Session(loaded).prepare(noise(SIZE), QUESTION)
    assert prepared.input_ids[0].tolist() == checkpoint.spelling.ids(checkpoint.prompt)
    marked = prepared.input_ids[0] == checkpoint.spelling.special[checkpoint.placeholder]
    assert torch.equal(prepared.visual_mask[0], marked)
    assert prepared.grid.num_tokens == checkpoint.prompt.count(checkpoint.placeholder)


@pytest.mark.parametrize("method", [FoPru(keep_ratio=0.25), TransPrune.at(0.25, 4)])
def test_it_answers_and_prunes(
    checkpoint: Checkpoint, loaded: LoadedModel, method: FoPru | TransPrune
) -> None:
    done = check_session(Session(loaded), method, SIZE)
    assert len(done.pruned.trace.kept) == checkpoint.prompt.count(checkpoint.placeholder) // 4
