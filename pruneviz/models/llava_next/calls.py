"""The arguments that a model's images are encoded with."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import wraps
from typing import Any

import torch


def sizes_of(call: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Width and height of each image that is encoded with these arguments."""
    sizes = torch.as_tensor(call.get("image_sizes", ())).tolist()
    return [(width, height) for height, width in sizes]


class Calls:
    """Sees the arguments that images are encoded with; a forward hook would come too late.

    `generate` encodes images before the model's first forward, through the methods `names`.
    """

    def __init__(self, inner: Any, names: tuple[str, ...]) -> None:
        self._inner, self.name, self.arguments = inner, "", dict[str, Any]()
        self._methods = [(name, vars(inner).get(name), self._watch(name)) for name in names]

    def _watch(self, name: str) -> Any:
        original = getattr(self._inner, name)
        # Not the original's, which may be a wrapper of the user's own that names no argument.
        signature = inspect.signature(getattr(type(self._inner), name))

        # `generate` hands over what it finds in the signature, so it must stay the same.
        @wraps(original)
        def watched(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(self._inner, *args, **kwargs).arguments
            # Pixels are large, and only their number is asked for.
            self.arguments = {
                key: getattr(value, "shape", None) if key.startswith("pixel_values") else value
                for key, value in given.items()
            }
            self.name = name
            return original(*args, **kwargs)

        setattr(self._inner, name, watched)
        return watched

    def remove(self) -> None:
        """Give the model back the methods that it had before."""
        for name, before, own in self._methods:
            if vars(self._inner).get(name) is not own:
                continue
            if before is None:
                delattr(self._inner, name)
            else:
                setattr(self._inner, name, before)
