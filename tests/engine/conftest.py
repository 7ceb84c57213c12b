from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pruneviz import load_model
from pruneviz.engine import Session


@pytest.fixture(scope="session")
def session() -> Session:
    return Session(load_model("embedded", device="cpu"))


@pytest.fixture(scope="session")
def picture() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    return Image.fromarray(values)
