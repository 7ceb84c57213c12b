from __future__ import annotations

import importlib.util
import socket

import pytest
from huggingface_hub import constants

import app
from pruneviz import cli, serving


def test_defaults_stay_on_this_machine() -> None:
    options = serving.parse([])
    assert (options.host, options.port, options.model) == ("127.0.0.1", 7860, None)


@pytest.mark.parametrize("before", [[], ["--model", "embedded"]])
def test_unknown_model_is_a_message(caplog, tmp_path, before) -> None:
    assert serving.main([*before, "--model", str(tmp_path / "nothing"), "--device", "cpu"]) == 2
    assert "No model found" in caplog.text


def test_several_models(tiny, copied) -> None:
    options = serving.parse(["--model", tiny, "--model", copied, "--device", "cpu"])
    shelf = serving.make_shelf(options)
    assert shelf.offered == (tiny, copied, "embedded")
    assert [shelf.holds(name) for name in shelf.offered] == [True, False, False]


def test_how_tokens_are_counted_reaches_the_sessions() -> None:
    plain = serving.make_shelf(serving.parse(["--device", "cpu"])).session()
    assert (plain.newlines, plain.positions) == ("visual", None)
    words = ["--newlines", "text", "--positions", "keep", "--device", "cpu"]
    session = serving.make_shelf(serving.parse(words)).session()
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
    assert serving.make_shelf(serving.parse([*arguments, "--device", "cpu"])).any_name is typed


@pytest.mark.parametrize(
    ("absent", "told"),
    [("mcp", 'pip install "gradio[mcp]'), ("gradio", 'pip install "pruneviz[app]"')],
)
def test_what_is_not_installed_is_a_message(caplog, monkeypatch, absent, told) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        serving.importlib.util, "find_spec", lambda name: None if name == absent else found(name)
    )
    assert serving.main(["--mcp"]) == 2
    (line,) = caplog.messages
    assert told in line


def test_taken_port_is_a_message(caplog) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert serving.main(["--device", "cpu", "--port", str(taken.getsockname()[1])]) == 2
    assert "Try another --port" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--quantisation", "2bit"], "invalid choice: '2bit'"),
        (["--port", "99999"], "a port is a number from 1 to 65535, not '99999'"),
        (["--port", "0"], "a port is a number from 1 to 65535, not '0'"),
        (["--port", "-1"], "a port is a number from 1 to 65535, not '-1'"),
        (["--port", "http"], "a port is a number from 1 to 65535, not 'http'"),
        (["--port", "9" * 5_000], "a port is a number from 1 to 65535, not '9999"),
        (["--max-disk", "63"], "a size is a number of MB from 64 to 1000000000, not '63'"),
        (["--keep-models", "0"], "models held are a number from 1 to 1000, not '0'"),
        (["--keep-models", "-1"], "models held are a number from 1 to 1000, not '-1'"),
        (["--keep-models", "many"], "models held are a number from 1 to 1000, not 'many'"),
    ],
)
def test_bad_option_is_refused(capsys, arguments, told) -> None:
    with pytest.raises(SystemExit) as stopped:
        serving.parse(arguments)
    assert stopped.value.code == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_the_command_and_the_script_take_the_same_options() -> None:
    given = ["--model", "a", "--model", "b", "--no-any-model", "--port", "9", "--mcp"]
    command = vars(cli.build_parser().parse_args(["serve", *given]))
    script = vars(serving.parse(given))
    assert script.items() <= command.items()
    assert command["run"] is serving.serve
    assert app.main is serving.main


def test_an_interrupted_start_ends_quietly(monkeypatch) -> None:
    def interrupt(_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serving, "make_shelf", interrupt)
    assert serving.main([]) == 130


def test_nothing_is_reported_unless_it_is_wanted(monkeypatch) -> None:
    """The hub client reads its variable when imported, which is before the page is started."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "0")
    serving.keep_to_this_machine()
    assert not constants.HF_HUB_DISABLE_TELEMETRY
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY")
    serving.keep_to_this_machine()
    assert constants.HF_HUB_DISABLE_TELEMETRY
