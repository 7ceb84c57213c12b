"""Image processors of transformers that need no torchvision."""

from __future__ import annotations

from typing import Any

import pytest
import transformers


def image_processor(name: str, **settings: Any) -> Any:
    """Pillow's version where transformers has several, else the only one.

    Only a release without a version of Pillow's may be skipped: some of its processors ask for
    torchvision.
    """
    pillow = getattr(transformers, f"{name}Pil", None)
    if pillow is not None:
        return pillow(**settings)
    try:
        return getattr(transformers, name)(**settings)
    except ImportError:
        pytest.skip(f"This release of transformers has {name} by torchvision alone.")
