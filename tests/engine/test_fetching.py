"""Look-ups and downloads: with progress and an end, beside whatever else runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from pruneviz.engine import Placement, Session, Shelf
from pruneviz.engine.turns import until
from pruneviz.errors import AbandonedError, ModelLoadError, UnsupportedModelError
from pruneviz.models.core import fetching
from pruneviz.models.core.fetching import check_name
from pruneviz.models.core.loading import EMBEDDED
from tests.folders import TINY_LAYERS, save_tiny
from tests.hub import NAME, Hub, serving

SECONDS = 120


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return Path(save_tiny(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture
def hub(tiny, tmp_path, monkeypatch) -> Iterator[Hub]:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    with serving(tiny) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


@pytest.fixture
def started(monkeypatch) -> list:
    """The programs that were started to download something."""
    found = []
    real = fetching.subprocess.Popen

    def popen(*args, **settings):
        found.append(real(*args, **settings))
        return found[-1]

    monkeypatch.setattr(fetching.subprocess, "Popen", popen)
    return found


def test_a_model_of_the_hub_is_downloaded_and_loaded_without_asking_again(hub, tiny) -> None:
    shelf = Shelf(any_name=True, placement=Placement(device="cpu"))
    seen = list(shelf.fetching(NAME))
    assert any(path.endswith("/model.safetensors") for path in hub.asked)
    assert all(one.done <= (one.total or one.done) for one in seen)
    hub.asked.clear()
    hub.stuck.add("*")
    source = shelf._folders[NAME]
    assert (
        Path(source, "model.safetensors").stat().st_size
        == (tiny / "model.safetensors").stat().st_size
    )
    session = shelf._load(NAME)
    assert (session.loaded.name, session.num_layers) == (NAME, TINY_LAYERS)
    assert not hub.asked


def test_progress_tells_bytes_and_their_total(hub, tiny) -> None:
    hub.stuck.add("model.safetensors")
    whole = sum(file.stat().st_size for file in tiny.iterdir())
    steps = fetching.fetching(NAME)
    one = next(step for step in steps if step.done > 0 and step.total)
    assert 0 < one.done < whole
    assert one.total <= whole
    steps.close()


def test_a_stuck_download_ends_by_itself_and_can_be_stopped(hub, started, monkeypatch) -> None:
    hub.stuck.add("model.safetensors")
    steps = fetching.fetching(NAME)
    next(step for step in steps if step.total)
    assert started[-1].poll() is None
    steps.close()
    assert started[-1].poll() is not None, "stopped with who waited"
    monkeypatch.setattr(fetching, "STALLED_SECONDS", 1.0)
    with pytest.raises(ModelLoadError, match="nothing came for 1 seconds"):
        list(fetching.fetching(NAME))
    assert all(one.poll() is not None for one in started)


def test_a_hub_that_never_answers_is_not_waited_for(hub, started, monkeypatch) -> None:
    hub.stuck.add("*")
    monkeypatch.setattr(fetching, "LOOK_SECONDS", 1.0)
    shelf = Shelf(any_name=True)
    with pytest.raises(ModelLoadError, match="no answer within 1 seconds"):
        shelf.session(NAME)
    with pytest.raises(ModelLoadError, match="no answer within 1 seconds"):
        shelf.check(NAME)
    monkeypatch.setattr(fetching, "LOOK_SECONDS", 600.0)
    with pytest.raises(AbandonedError), until(lambda: len(started) == 3):
        shelf.session(NAME)
    assert all(one.poll() is not None for one in started)


def test_other_models_load_and_answer_while_one_is_looked_up(hub, monkeypatch) -> None:
    hub.stuck.add("*")
    shelf, over = Shelf(any_name=True, placement=Placement(device="cpu")), threading.Event()

    def look() -> None:
        with until(over.is_set), pytest.raises(AbandonedError):
            shelf.session(NAME)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    while not hub.asked:
        over.wait(0.01)
    assert isinstance(shelf.session(EMBEDDED), Session)
    assert thread.is_alive()
    over.set()
    thread.join(SECONDS)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no/model", "the hub has no model of that name"),
        ("not a name!", "no name that the hub allows"),
        (f"{NAME}-else", "the hub has no model of that name"),
    ],
)
def test_what_the_hub_does_not_have_says_so(hub, name, words) -> None:
    with pytest.raises(ModelLoadError, match=rf"No model found at .*{words}"):
        fetching.check(name)


def test_a_model_that_is_not_supported_is_not_downloaded(hub, tmp_path) -> None:
    hub.folder = tmp_path / "else"
    hub.folder.mkdir()
    (hub.folder / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(UnsupportedModelError, match=f"'{NAME}' is a 'llama' model"):
        list(fetching.fetching(NAME))
    assert not any("model.safetensors" in path for path in hub.asked)


def test_a_full_disk_and_a_missing_network_are_told_apart() -> None:
    import errno

    from pruneviz.models.core import downloading

    assert downloading.problem(OSError(errno.ENOSPC, "no")) == "the disk is full"
    assert "cannot be written" in downloading.problem(PermissionError(errno.EACCES, "no"))
    assert downloading.problem(ConnectionError("no")) == downloading.NOT_REACHED


def test_texts_do_not_tell_which_folders_exist(tmp_path) -> None:
    """Nor files, nor folders without a model."""
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("text")
    texts = set()
    for name in ("there", "gone", "file"):
        path = str(tmp_path / name)
        for use in (check_name, Shelf(any_name=True).look, Shelf(any_name=True).fetch):
            with pytest.raises(ModelLoadError) as error:
                use(path)
            texts.add(str(error.value).replace(path, ""))
    assert len(texts) == 1


def test_nor_do_those_of_names_beside_the_server(tmp_path, monkeypatch) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    texts = set()
    for name in ("there", "gone"):
        assert not Shelf(any_name=True).look(name).here
        with pytest.raises(ModelLoadError) as error:
            Shelf(any_name=True).fetch(name)
        texts.add(str(error.value).replace(name, ""))
    assert len(texts) == 1
