from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from gradio.utils import get_function_description
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from pruneviz.ui import build, launch_settings
from pruneviz.ui.api.docstrings import described
from pruneviz.ui.api.endpoints import make_ask, make_compare, make_sweep
from tests.ui.conftest import PATIENT, QUESTION, connect, draw


@pytest.fixture(scope="module")
def client(url) -> Client:
    return connect(url)


def raw(url: str, body: str) -> str:
    """A call as any program may make it, JSON that no client would send included."""
    head = {"content-type": "application/json"}
    answer = httpx.post(f"{url}gradio_api/call/ask", content=body, headers=head, **PATIENT)
    if answer.status_code != 200:
        return answer.text
    return httpx.get(f"{url}gradio_api/call/ask/{answer.json()['event_id']}", **PATIENT).text


def test_five_endpoints_and_no_more(client) -> None:
    info = client.view_api(return_format="dict", print_info=False)
    assert set(info["named_endpoints"]) == {"/ask", "/compare", "/sweep", "/methods", "/evaluate"}
    assert not info["unnamed_endpoints"]
    # A file that may be left out is a file all the same: MCP takes a URL for it only then.
    told = info["named_endpoints"]["/evaluate"]["parameters"]
    file = next(one for one in told if one["parameter_name"] == "file")
    assert file["parameter_has_default"]
    assert "gradio.FileData" in str(file["type"])
    assert not {"oneOf", "anyOf"} & set(file["type"])


def test_ask(client, picture) -> None:
    result = client.predict(
        image=handle_file(picture),
        question=QUESTION,
        method="fopru",
        keep_ratio=0.5,
        api_name="/ask",
    )
    assert result["method"] == "fopru"
    assert result["stages"][0]["layer"] == 0
    assert len(result["stages"][0]["kept"]) == result["num_visual"] // 2
    assert result["pruned"]["cost"]["final_tokens"] == result["num_visual"] // 2
    assert result["baseline"]["text"]
    assert set(result["fidelity"]) >= {"exact_match", "first_token_kl"}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("/ask", {}),
        ("/compare", {"methods": ["random"]}),
        ("/sweep", {"methods": ["random"], "keep_ratios": [0.5]}),
    ],
)
def test_hints_are_in_the_answer(client, picture, name, more) -> None:
    asked = {"image": handle_file(picture), "question": "Is the giraffe happy?", **more}
    hints = client.predict(**asked, api_name=name)["hints"]
    assert "“giraffe”, “happy”" in hints[0]
    assert "other forms of questions" in hints[1]


def test_compare(client, picture) -> None:
    result = client.predict(
        image=handle_file(picture),
        question=QUESTION,
        methods=["fopru", "fastv", "fopru"],
        budget=0.5,
        budget_kind="compute",
        matters=True,
        api_name="/compare",
    )
    assert [entry["method"] for entry in result["methods"]] == ["fopru", "fastv"]
    assert len(result["matters"]["blocks"]) == 64
    for entry in result["methods"]:
        assert -1 <= entry["judgement"]["correlation"] <= 1
        assert abs(entry["layer_average"] / result["num_visual"] - 0.5) < 0.01
        assert len(entry["kept"]) == entry["final_tokens"]
    assert result["baseline"]["text"]
    assert len(result["agreement"]) == result["num_visual"]
    assert sum(result["agreement"]) == sum(len(entry["kept"]) for entry in result["methods"])
    assert result["overlaps"][0][0] == 1
    assert result["overlaps"][0][1] == result["overlaps"][1][0]


def test_compare_says_what_is_out_of_reach(client, picture) -> None:
    result = client.predict(
        image=handle_file(picture),
        question=QUESTION,
        methods=["transprune"],
        budget=0.05,
        budget_kind="compute",
        api_name="/compare",
    )
    assert "cannot come down" in result["methods"][0]["problem"]
    assert result["baseline"] is None


def test_sweep(client, picture) -> None:
    result = client.predict(
        image=handle_file(picture),
        question=QUESTION,
        methods=["uniform"],
        keep_ratios=[0.5, 1.0],
        api_name="/sweep",
    )
    (curve,) = result["methods"]
    asked = [point for point in curve["points"] if not point["searched"]]
    assert [point["kept"] for point in asked] == [256, 128]
    assert asked[0]["exact_match"]
    assert curve["break_point"]["kept"] == curve["break_point"]["fails_at"] + 1


@pytest.mark.parametrize(
    ("endpoint", "changes", "words"),
    [
        ("/compare", {"methods": []}, "at least one method"),
        ("/compare", {"methods": ["nothing"]}, "Unknown method"),
        ("/compare", {"budget": 0}, "above 0"),
        ("/compare", {"matters": "yes"}, "matters must be true or false"),
        ("/compare", {"budget_kind": "flops"}, "final, compute"),
        ("/compare", {"image": "/etc/hostname"}, "uploaded file"),
        ("/sweep", {"keep_ratios": []}, "at least one keep ratio"),
        ("/sweep", {"keep_ratios": [2]}, "up to 1"),
        ("/sweep", {"methods": "random"}, "at least one method"),
        ("/sweep", {"question": " "}, "Type a question"),
        ("/sweep", {"image": "/etc/hostname"}, "uploaded file"),
    ],
)
def test_bad_calls_of_several_methods(client, picture, endpoint, changes, words) -> None:
    call = {"image": handle_file(picture), "question": QUESTION, "methods": ["random"]}
    if endpoint == "/sweep":
        call["keep_ratios"] = [0.5]
    with pytest.raises(AppError, match=words):
        client.predict(**(call | changes), api_name=endpoint)


def test_methods(client) -> None:
    names = [entry["name"] for entry in client.predict(api_name="/methods")]
    assert names[:3] == ["transprune", "resprune", "fopru"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"question": ""}, "Type a question"),
        ({"question": "cat " * 10_000}, "Shorten"),
        ({"keep_ratio": 0}, "above 0"),
        ({"keep_ratio": -1}, "above 0"),
        ({"keep_ratio": 2}, "up to 1"),
        ({"keep_ratio": "half"}, "must be a number"),
        ({"method": "nothing"}, "Unknown method"),
        ({"image": "/etc/hostname"}, "uploaded file"),
        ({"image": None}, "uploaded file"),
    ],
)
def test_bad_calls_get_a_clear_error(client, picture, changes, words) -> None:
    call = {"image": handle_file(picture), "question": QUESTION, **changes}
    with pytest.raises(AppError, match=words):
        client.predict(**call, api_name="/ask")


def test_nan_and_foreign_files_are_refused(client, url, picture) -> None:
    def file(path: str) -> str:
        return json.dumps({"path": path, "meta": {"_type": "gradio.FileData"}})

    def body(path: str, ratio: str) -> str:
        return f'{{"data": [{file(path)}, "what?", "random", {ratio}]}}'

    picked = {"files": picture.read_bytes()}
    (uploaded,) = httpx.post(f"{url}gradio_api/upload", files=picked, **PATIENT).json()
    assert "not nan" in raw(url, body(uploaded, "NaN"))
    answer = raw(url, body("/etc/hostname", "0.5"))
    assert "not uploaded" in answer
    assert "complete" not in answer


def test_every_kind_of_picture(client, tmp_path) -> None:
    base = draw((320, 240))
    rgba = base.copy()
    rgba.putalpha(120)
    turned = Image.Exif()
    turned[274] = 6
    files = {
        "one.png": (base.resize((1, 1)), {}),
        "strip.png": (base.resize((20_000, 30)), {}),
        "alpha.png": (rgba, {}),
        "palette.png": (base.convert("P"), {}),
        "cmyk.jpg": (base.convert("CMYK"), {}),
        "deep.png": (Image.new("I;16", (60, 40), 40_000), {}),
        "turned.jpg": (base, {"exif": turned}),
        "moving.gif": (base, {"save_all": True, "append_images": [base.rotate(90)]}),
    }
    for name, (image, settings) in files.items():
        image.save(tmp_path / name, **settings)
        result = client.predict(
            image=handle_file(tmp_path / name),
            question=QUESTION,
            method="uniform",
            keep_ratio=0.1,
            api_name="/ask",
        )
        assert result["num_visual"] > len(result["stages"][0]["kept"]), name


def test_damaged_files(client, picture, tmp_path) -> None:
    data = picture.read_bytes()
    for name, content, words in (
        ("text.png", b"hello", "not an image"),
        ("half.png", data[: len(data) // 2], "damaged"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(AppError, match=words):
            client.predict(image=handle_file(tmp_path / name), question=QUESTION, api_name="/ask")


@pytest.fixture(scope="module")
def models_client(shelf, examples) -> Iterator[Client]:
    page = build(shelf, examples)
    page.launch(**launch_settings(), prevent_thread_lock=True, quiet=True)
    yield connect(page.local_url)
    page.close()


def test_a_model_by_name(models_client, picture, tiny) -> None:
    call = {"image": handle_file(picture), "question": QUESTION}
    one = {"methods": ["random"]}
    asked = models_client.predict(**call, model=tiny, api_name="/ask")
    assert (asked["num_visual"], asked["parameters"]["num_layers"]) == (64, 4)
    asked = models_client.predict(**call, api_name="/ask")
    assert (asked["num_visual"], asked["parameters"]["num_layers"]) == (256, 16)
    many = models_client.predict(**call, **one, model=tiny, api_name="/compare")
    assert many["num_visual"] == 64
    swept = models_client.predict(**call, **one, keep_ratios=[0.5], model=tiny, api_name="/sweep")
    assert swept["num_visual"] == 64


@pytest.mark.parametrize("name", ["/etc", "no-owner/no-model", "<b>", 7, {"a": 1}])
def test_a_model_that_is_not_offered(models_client, picture, name) -> None:
    call = {"image": handle_file(picture), "question": QUESTION}
    with pytest.raises(AppError, match="not offered here"):
        models_client.predict(**call, model=name, api_name="/ask")
    assert models_client.predict(**call, api_name="/ask")["baseline"]["text"]


def test_the_page_endpoints_stay_private(models_client) -> None:
    info = models_client.view_api(return_format="dict", print_info=False)
    assert set(info["named_endpoints"]) == {"/ask", "/compare", "/sweep", "/methods", "/evaluate"}
    assert not info["unnamed_endpoints"]


def test_endpoints_are_described_for_people_and_tools(shelf) -> None:
    for name, make in (("ask", make_ask), ("compare", make_compare), ("sweep", make_sweep)):
        function = described(make(shelf), name)
        assert function.__name__ == name
        text, parameters, returned = get_function_description(function)
        assert "Parameters" not in text
        assert "---" not in text
        assert all(parameters.values()), "each parameter has its line"
        assert list(parameters)[-1] == "model"
        assert len(returned) == 1
