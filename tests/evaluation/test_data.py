"""Questions from everywhere, and every mistake told by its line."""

from __future__ import annotations

import base64
import csv
import io
import json
import pickle
import shutil

import pytest
from PIL import Image

from pruneviz.errors import InputError
from pruneviz.evaluation.builtin import SETS, SceneSet, scene_cases
from pruneviz.evaluation.data import load_cases
from pruneviz.evaluation.files import DataError, file_cases, folder_cases
from pruneviz.scenes.scene import SceneRules


@pytest.fixture
def folder(tmp_path):
    for number in range(2):
        Image.new("RGB", (20, 10), (number, 0, 0)).save(tmp_path / f"{number}.png")
    return tmp_path


def png() -> str:
    stream = io.BytesIO()
    Image.new("RGB", (9, 7), "red").save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def jsonl(folder, *records):
    path = folder / "questions.jsonl"
    lines = [one if isinstance(one, str) else json.dumps(one) for one in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_scenes_by_number_and_seed() -> None:
    cases, again, other = (load_cases(f"scenes:10{end}") for end in ("", ":0", ":1"))
    assert [case.question for case in cases] == [case.question for case in again]
    assert [case.picture.digest() for case in cases] == [case.picture.digest() for case in again]
    assert not {case.picture.digest() for case in cases} & {c.picture.digest() for c in other}
    assert len(cases) == 10
    assert {case.rule for case in cases} == {"exact"}
    assert all(case.kind and case.truth.answers for case in cases)
    # Fewer are the first of more.
    assert load_cases("scenes:20")[:10] == cases


def test_small_scenes_are_small_and_crowded() -> None:
    cases = load_cases("small:40")
    for case in cases:
        items = case.picture.scene.items
        assert 5 <= len(items) <= 9
        assert all(0.06 <= item.size <= 0.1 for item in items)
    total = next(case for case in cases if case.kind == "total")
    assert total.truth.answers[0].split()[2] in "five six seven eight nine".split()
    assert cases[0].picture.read().size == (224, 224)


def test_rules_of_ones_own() -> None:
    own = SceneSet("One thing", SceneRules(crowds=(1.0,), card=0.0))
    cases = scene_cases("mine", 8, chosen=own)
    assert {len(case.picture.scene.items) for case in cases} == {1}
    assert cases[0].picture.label.startswith("mine-")


def test_cases_can_be_sent_to_workers(folder) -> None:
    path = jsonl(folder, {"image": "0.png", "question": "What?"})
    for case in (*load_cases("small:1"), *file_cases(path)):
        sent = pickle.loads(pickle.dumps(case))  # noqa: S301 - our own
        assert sent == case
        assert sent.picture.digest() == case.picture.digest()


def test_json_lines(folder) -> None:
    path = jsonl(
        folder,
        {"image": "0.png", "question": " What\n is it? ", "answer": "a dog", "kind": "what"},
        "",
        {"image_base64": png(), "question": "Is it?", "answers": ["yes"], "id": 7},
        {"image": "1.png", "question": "Which\u2028one?", "answer": "B", "choices": ["a", "b"]},
        {"image": "1.png", "question": "What now?", "answer": 2},
        {"image": "1.png", "question": "And?"},
    )
    cases = file_cases(path)
    assert [case.name for case in cases] == ["1", "7", "4", "5", "6"]
    assert [case.rule for case in cases] == [
        "normalised", "yes-no", "choice", "normalised", "agreement",
    ]  # fmt: skip
    assert cases[0].question == "What\nis it?"  # a prompt's line breaks are part of it
    assert cases[0].kind == "what"
    assert cases[1].picture.read().size == (9, 7)
    assert cases[2].picture.read().getpixel((0, 0)) == (1, 0, 0)
    assert cases[3].truth.answers == ("2",)


def test_csv(folder) -> None:
    path = folder / "questions.CSV"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "question", "answers", "choices", "kind"])
        writer.writerow(["0.png", 'What is "it",\nthen?', "a dog|puppy", "", "what"])
        writer.writerow([])
        writer.writerow(["1.png", "Which?", "cat", "cat|dog", ""])
    cases = file_cases(path)
    assert cases[0].question == 'What is "it",\nthen?'
    assert cases[0].truth.answers == ("a dog", "puppy")
    assert [case.rule for case in cases] == ["normalised", "choice"]


def test_the_same_bytes_are_the_same_picture(folder) -> None:
    data = base64.b64encode((folder / "0.png").read_bytes()).decode()
    path = jsonl(
        folder, {"image": "0.png", "question": "a"}, {"image_base64": data, "question": "b"}
    )
    first, second = file_cases(path)
    assert first.picture.digest() == second.picture.digest()


def test_every_mistake_is_listed(folder) -> None:
    (folder / "text.png").write_text("no image")
    Image.effect_noise((64, 64), 90).save(folder / "whole.png")
    (folder / "torn.png").write_bytes((folder / "whole.png").read_bytes()[:2000])
    good = {"image": "0.png", "question": "What?"}
    mistakes = [
        ("{", "is no JSON"),
        ([1], "is no object"),
        ({**good, "label": 1}, "unknown fields: label"),
        ({"image": "0.png"}, "has no question"),
        ({**good, "question": " "}, "has no question"),
        ({"question": "What?"}, "needs either image"),
        ({**good, "image_base64": "AAAA"}, "needs either image"),
        ({**good, "image": "https://a.b/c.png"}, "by a URL"),
        ({**good, "image": "2.png"}, "there is no such image: '2.png'"),
        ({**good, "image": "text.png"}, "not an image"),
        ({"image_base64": "&", "question": "What?"}, "is no Base64"),
        ({"image_base64": "AAAA", "question": "What?"}, "image_base64 cannot be used"),
        ({**good, "question": ["What?"]}, "question must be text"),
        ({**good, "answers": []}, "answers must be a list of texts"),
        ({**good, "answers": ["x", ""]}, "none of them empty"),
        ({**good, "answers": 3}, "answers must be a list"),
        ({**good, "answer": "x", "answers": ["y"]}, "both answer and answers"),
        ({**good, "answer": True}, "answer must be text"),
        ({**good, "id": "1"}, "has the id '1' of line 1"),
        ({**good, "answer": "C", "choices": ["a dog", "a cat"]}, "none of its choices: 'C'"),
        ({**good, "answers": ["A", "a bird"], "choices": ["a dog", "a cat"]}, "'a bird'"),
        ({**good, "image": "torn.png"}, "the image is damaged or incomplete"),
    ]
    path = jsonl(folder, good, *(record for record, _ in mistakes))
    with pytest.raises(DataError) as raised:
        file_cases(path)
    lines = str(raised.value).splitlines()
    assert lines[0] == f"questions.jsonl: {len(mistakes)} lines cannot be used."
    for number, (line, (_, told)) in enumerate(zip(lines[1:], mistakes, strict=True), 2):
        assert line.startswith(f"line {number}: ")
        assert told in line


def test_a_question_twice_is_a_mistake(folder) -> None:
    """By what the picture shows, not by what its file is called."""
    shutil.copy(folder / "0.png", folder / "copy.png")
    good = {"image": "0.png", "question": "What?", "answers": ["a", "b"]}
    others = [
        {**good, "question": "Which?"},
        {**good, "image": "1.png"},
        {**good, "answers": ["a"]},
        {"image": "0.png", "question": "What?"},
    ]
    assert len(file_cases(jsonl(folder, good, *others))) == 5
    twice = {"image": "copy.png", "question": " What? ", "answers": ["b", "a"], "id": "again"}
    with pytest.raises(DataError, match=r"line 6: asks what line 1 asks: the same picture"):
        file_cases(jsonl(folder, good, *others, twice))


def test_the_first_fifty_mistakes_are_listed(folder) -> None:
    long = {"image": "0.png", "question": "What?", "x" * 1000: 1}
    with pytest.raises(DataError) as raised:
        file_cases(jsonl(folder, *([long] * 5000)))
    lines = str(raised.value).splitlines()
    assert lines[0] == "questions.jsonl: 5,000 lines cannot be used."
    assert (len(lines), lines[-1]) == (52, "and 4,950 more.")
    assert max(map(len, lines)) <= 300
    assert len(raised.value.problems) == 5000


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("image;question;answer", "parted by semicolons; part the cells by commas"),
        ("image\tquestion", "parted by tabs"),
        ("Image,QUESTION", "unknown fields: Image, QUESTION; .*write them in small letters"),
        ("image,question,label", "unknown fields: label; known: image, [^;]*$"),
        ("image,question,answer,question", "names 'question' more than once"),
        ("image,answer", "lacks question"),
        ("question,answer", r"or image \(or image_base64\)"),
    ],
)
def test_a_wrong_header_is_said_once(folder, header, told) -> None:
    path = folder / "questions.csv"
    path.write_text(f"{header}\n" + "0.png;a;b\n" * 20, encoding="utf-8")
    with pytest.raises(DataError, match=told) as raised:
        file_cases(path)
    assert str(raised.value).count("\n") == 1
    assert "\nline 1: is a header" in str(raised.value)


def test_other_encodings_are_called_so(folder) -> None:
    path, text = folder / "questions.csv", "image,question\n0.png,h\u00e9\n"
    for encoding, told in (
        ("latin-1", "line 2 is in another encoding, such as Latin-1"),
        ("utf-16", "it is UTF-16"),
        ("utf-16-le", "it is UTF-16"),
    ):
        path.write_bytes(text.encode(encoding))
        with pytest.raises(InputError, match=told) as raised:
            file_cases(path)
        assert "\n" not in str(raised.value)
    path.write_text(text, encoding="utf-8-sig")
    assert file_cases(path)[0].question == "h\u00e9"


def test_csv_mistakes(folder) -> None:
    path = folder / "questions.csv"
    path.write_text('image,question\n0.png,a,b\n0.png,"What?\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"(?s)line 2: has 3 cells.*line 3: is no CSV"):
        file_cases(path)


def test_pictures_outside_of_the_folder(folder) -> None:
    inner = folder / "inner"
    inner.mkdir()
    path = jsonl(inner, {"image": "../0.png", "question": "What?"})
    assert len(file_cases(path)) == 1
    with pytest.raises(DataError, match="outside of the folder"):
        file_cases(path, inside=True)


def test_a_folder_of_pictures(folder) -> None:
    (folder / "notes.txt").write_text("no picture")
    cases = folder_cases(folder, ["What is it?", "Where?"])
    assert [case.name for case in cases] == ["0.png 1", "0.png 2", "1.png 1", "1.png 2"]
    assert {case.rule for case in cases} == {"agreement"}
    assert {case.kind for case in cases} == {"What is it?", "Where?"}
    assert load_cases(str(folder), ["What?"])[0].kind == ""
    (folder / "2.png").write_text("no picture")
    with pytest.raises(DataError, match=r"2\.png: the file is not an image"):
        folder_cases(folder, ["What?"])


@pytest.mark.parametrize(
    ("data", "questions", "scoring", "told"),
    [
        ("scenes:", (), "auto", "such as scenes:200"),
        ("scenes:x", (), "auto", "such as scenes:200"),
        ("scenes:1:2:3", (), "auto", "such as scenes:200"),
        ("scenes:0", (), "auto", "from 1 to 100000, not 0"),
        ("scenes:5:-1", (), "auto", "seed of scenes"),
        ("scenes:5:1000", (), "auto", "seed of scenes"),
        ("scenes:5", ("What?",), "auto", "goes with a folder"),
        ("scenes:5", (), "contains", "goes with a file"),
        ("nothing.jsonl", (), "auto", "There is no 'nothing.jsonl'"),
        (".", (), "auto", "Say what to ask"),
    ],
)
def test_what_names_nothing(tmp_path, monkeypatch, data, questions, scoring, told) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=told):
        load_cases(data, questions, scoring)


def test_files_that_hold_nothing(folder) -> None:
    (folder / "empty.csv").write_text("image,question\n")
    (folder / "latin.csv").write_bytes("image,question\n0.png,h\u00e9".encode("latin-1"))
    (folder / "data.json").write_text("[]")
    for name, told in (
        ("empty.csv", "holds no question"),
        ("latin.csv", "as UTF-8"),
        ("data.json", "must end in"),
    ):
        with pytest.raises(InputError, match=told):
            load_cases(str(folder / name))


def test_sets_have_titles() -> None:
    assert all(one.title for one in SETS.values())
