"""Image processors of transformers that need no torchvision."""

from __future__ import annotations

from typing import Any

import pytest
import transformers


def image_processor(name: str, **settings: Any) -> Any:
    """Pillow's version where transformers has several, else the only one.

    Transformers 5.4 has some by torchvision alone: there, and nowhere else, a test may be skipped.
    """
    build = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    try:
        return build(**settings)
    except ImportError:
        if not transformers.__version__.startswith("5.4."):
            raise
        pytest.skip(f"This release of transformers has {name} by torchvision alone.")
