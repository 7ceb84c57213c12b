"""Settings of the whole suite: deterministic, offline, as many cases as asked for."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import pytest
import torch

from tests import matrix
from tests.ui.browsing import browser

# For all folders: a process can drive one browser, so that there must be one fixture for it.
__all__ = ["browser"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full", action="store_true", help="run every combination instead of a covering set"
    )


def pytest_configure(config: pytest.Config) -> None:
    # Before any test file is read: tests ask for their cases when they are defined.
    matrix.FULL = bool(config.getoption("--full"))


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
