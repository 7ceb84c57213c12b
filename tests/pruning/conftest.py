"""Every test here must leave the shared tiny models without hooks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers import MODELS, own_hooks, tiny


@pytest.fixture(autouse=True)
def _no_hooks_left() -> Iterator[None]:
    yield
    for kind in MODELS:
        assert not own_hooks(tiny(kind)), f"hooks left on {kind}"
