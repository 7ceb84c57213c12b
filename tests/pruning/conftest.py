"""Every test here must leave the shared tiny models without hooks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers import own_hooks
from tests.tiny import BUILT


@pytest.fixture(autouse=True)
def _no_hooks_left() -> Iterator[None]:
    yield
    for (kind, _), model in BUILT.items():
        assert not own_hooks(model), f"hooks left on {kind}"
        if model.config._attn_implementation != "sdpa":
            # A prompt's features are the model's own: a last test's backend must not change them.
            model.set_attn_implementation("sdpa")
