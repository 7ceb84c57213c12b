"""Every test here must leave the shared tiny models as they were."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers import own_hooks
from tests.tiny import BUILT

_STORED: dict[tuple[str, int], list[int]] = {}
"""Where the weights of the shared models lie, as they were built."""


@pytest.fixture(autouse=True)
def _no_hooks_left() -> Iterator[None]:
    yield
    for (kind, layers), model in BUILT.items():
        assert not own_hooks(model), f"hooks left on {kind}"
        # In another dtype and back they would be rounded: other tests remember their logits.
        stored = [weight.data_ptr() for weight in model.parameters()]
        assert _STORED.setdefault((kind, layers), stored) == stored, f"{kind} has other weights"
        if model.config._attn_implementation != "sdpa":
            # A prompt's features are the model's own: a last test's backend must not change them.
            model.set_attn_implementation("sdpa")
