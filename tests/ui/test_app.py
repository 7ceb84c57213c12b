from __future__ import annotations

import socket

import pytest

import app


def test_defaults_stay_on_this_machine() -> None:
    options = app.parse([])
    assert (options.host, options.port, options.model) == ("127.0.0.1", 7860, None)


def test_unknown_model_is_a_message(caplog, tmp_path) -> None:
    assert app.main(["--model", str(tmp_path / "nothing")]) == 2
    assert "No model found" in caplog.text


def test_taken_port_is_a_message(caplog) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert app.main(["--device", "cpu", "--port", str(taken.getsockname()[1])]) == 2
    assert "Try another --port" in caplog.text


def test_bad_option_is_refused() -> None:
    with pytest.raises(SystemExit):
        app.parse(["--quantisation", "2bit"])
