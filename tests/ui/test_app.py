from __future__ import annotations

import socket

import pytest

import app


def test_defaults_stay_on_this_machine() -> None:
    options = app.parse([])
    assert (options.host, options.port, options.model) == ("127.0.0.1", 7860, None)


@pytest.mark.parametrize("before", [[], ["--model", "embedded"]])
def test_unknown_model_is_a_message(caplog, tmp_path, before) -> None:
    assert app.main([*before, "--model", str(tmp_path / "nothing"), "--device", "cpu"]) == 2
    assert "No model found" in caplog.text


def test_several_models(tiny, copied) -> None:
    options = app.parse(["--model", tiny, "--model", copied, "--device", "cpu"])
    shelf = app.make_shelf(options)
    assert shelf.offered == (tiny, copied, "embedded")
    assert [shelf.holds(name) for name in shelf.offered] == [True, False, False]


def test_how_tokens_are_counted_reaches_the_sessions() -> None:
    plain = app.make_shelf(app.parse(["--device", "cpu"])).session()
    assert (plain.newlines, plain.positions) == ("visual", None)
    words = ["--newlines", "text", "--positions", "keep", "--device", "cpu"]
    session = app.make_shelf(app.parse(words)).session()
    assert (session.newlines, session.positions) == ("text", "keep")


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        ([], True),
        (["--host", "localhost"], True),
        (["--host", "::1"], True),
        (["--host", "127.0.0.2"], True),
        (["--host", "0.0.0.0"], False),  # noqa: S104 - nothing is served here
        (["--host", "::"], False),
        (["--host", ""], False),
        (["--host", "192.168.1.7"], False),
        (["--host", "example.org"], False),
        (["--host", "0.0.0.0", "--any-model"], True),  # noqa: S104
        (["--no-any-model"], False),
    ],
)
def test_typed_names_are_for_this_machine_unless_allowed(arguments, typed) -> None:
    assert app.make_shelf(app.parse([*arguments, "--device", "cpu"])).any_name is typed


def test_mcp_without_its_package_is_a_message(caplog, monkeypatch) -> None:
    monkeypatch.setattr(app.importlib.util, "find_spec", lambda _: None)
    assert app.main(["--mcp"]) == 2
    assert 'pip install "gradio[mcp]' in caplog.text


def test_taken_port_is_a_message(caplog) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert app.main(["--device", "cpu", "--port", str(taken.getsockname()[1])]) == 2
    assert "Try another --port" in caplog.text


def test_bad_option_is_refused() -> None:
    with pytest.raises(SystemExit):
        app.parse(["--quantisation", "2bit"])
