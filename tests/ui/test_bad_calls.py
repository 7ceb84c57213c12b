"""Whatever JSON can say is answered with one clear line, and nothing of the server's insides."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from benchmarks.soak.bad import GOOD, bodies, calls, pictures
from pruneviz.engine import Session
from pruneviz.errors import InputError
from pruneviz.methods.base.checks import check_number, check_ratio
from pruneviz.models.core import downloading
from pruneviz.ui.shared.calls import NOT_ITS_VALUES, NOT_UPLOADED
from tests.ui.conftest import PATIENT

INSIDES = (
    "Traceback",
    "object at 0x",
    "unhashable",
    "NoneType",
    "has no attribute",
    "gradio.comp",
)
CALLS = [one for one in calls() if "model = " not in one[0]]


@pytest.fixture(scope="module")
def uploaded(url, picture) -> str:
    files = {"files": ("picture.png", picture.read_bytes())}
    (path,) = httpx.post(f"{url}gradio_api/upload", files=files, **PATIENT).json()
    return path


def answer(url: str, path: str, body: str) -> tuple[int, str]:
    """Status and text, of the result where the call is taken."""
    head = {"content-type": "application/json"}
    sent = httpx.post(f"{url}gradio_api/{path}", content=body.encode(), headers=head, **PATIENT)
    if sent.status_code != 200 or "event_id" not in sent.text:
        return sent.status_code, sent.text
    event = sent.json()["event_id"]
    return 200, httpx.get(f"{url}gradio_api/{path}/{event}", **PATIENT).text


def check(status: int, text: str) -> None:
    assert status < 500, text
    assert status >= 400 or text.startswith("event: error"), text
    assert not any(word in text for word in INSIDES), text
    if status == 200:
        line = json.loads(text.partition("data: ")[2])["error"]
        assert "\n" not in line
        assert len(line) > 15


@pytest.mark.parametrize("endpoint", GOOD)
def test_calls_with_one_wrong_argument(url, uploaded, endpoint) -> None:
    for _, path, body in CALLS:
        if path == f"call/{endpoint}":
            check(*answer(url, path, body.replace("{uploaded}", uploaded)))


def test_pictures_that_were_not_uploaded(url, uploaded, picture, tmp_path) -> None:
    """Gradio itself would take them from the temporary and the working folder."""
    there = tmp_path / "picture.png"
    there.write_bytes(picture.read_bytes())
    link = Path(uploaded).with_name("link.png")
    link.symlink_to(there)  # in a folder of these tests alone
    for path in (there, link):
        file = {"path": str(path), "meta": {"_type": "gradio.FileData"}}
        text = answer(url, "call/ask", json.dumps({"data": [file, "What is this?"]}))[1]
        assert NOT_UPLOADED in text


def test_right_calls_are_answered(url, uploaded) -> None:
    for endpoint, good in GOOD.items():
        body = json.dumps({"data": list(good.values())}).replace("{uploaded}", uploaded)
        told = answer(url, f"call/{endpoint}", body)[1]
        assert told.startswith("event: complete"), told


@pytest.mark.slow
def test_models_that_are_none(url, uploaded) -> None:
    for _, path, body in (one for one in calls() if "model = " in one[0]):
        check(*answer(url, path, body.replace("{uploaded}", uploaded)))


def test_bodies_that_are_no_calls(url) -> None:
    for _, path, body in bodies():
        check(*answer(url, path, body))


def test_files_that_are_no_pictures(url) -> None:
    for _, data in pictures():
        files = {"files": ("picture.png", data)}
        sent = httpx.post(f"{url}gradio_api/upload", files=files, **PATIENT)
        file = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
        check(*answer(url, "call/ask", json.dumps({"data": [file, "What is this?"]})))


def test_two_hundred_of_them() -> None:
    assert len([*calls(), *bodies(), *pictures()]) >= 200


@pytest.mark.parametrize("value", [10**400, -(10**400)])
def test_whole_numbers_too_large_to_calculate_with(value) -> None:
    with pytest.raises(ValueError, match="keep_ratio must be a number"):
        check_ratio(value)
    with pytest.raises(ValueError, match="alpha must be a number"):
        check_number(value, "alpha")


def test_half_a_character_in_a_question(session: Session, picture) -> None:
    with pytest.raises(InputError, match="half of a character"):
        session.prepare(picture, "What is \ud83d this?")


def test_why_a_name_could_not_be_looked_up() -> None:
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    error = LocalEntryNotFoundError("no")
    assert downloading.problem(error) == downloading.NOT_REACHED
    error.__cause__ = OfflineModeIsEnabled("no")
    assert "HF_HUB_OFFLINE" in downloading.problem(error)


def test_the_pages_own_handlers_called_by_hand_leave_no_traceback(url, capfd) -> None:
    """They are not documented, but anybody may call them."""
    config = httpx.get(f"{url}config", **PATIENT).json()
    some = [one["id"] for one in config["dependencies"] if one["backend_fn"] and one["inputs"]][:9]
    for number in some:
        body = {"data": [], "fn_index": number, "session_hash": f"by hand {number}"}
        assert httpx.post(f"{url}gradio_api/queue/join", json=body, **PATIENT).status_code == 200
        heard = {"session_hash": body["session_hash"]}
        told = httpx.get(f"{url}gradio_api/queue/data", params=heard, **PATIENT).text
        assert NOT_ITS_VALUES in told
    assert some
    assert "Traceback" not in capfd.readouterr().err
