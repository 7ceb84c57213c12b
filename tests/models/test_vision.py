"""FoPru's significance from the tower's penultimate layer, against eager attention maps."""

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from pruneviz.errors import UnsupportedModelError
from pruneviz.models.core.towers import layer_attention, watch
from pruneviz.ops import fopru_significance

SIZES = {
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "image_size": 84,
    "patch_size": 14,
}


def tower(kind):
    torch.manual_seed(0)
    if kind == "clip":
        model = CLIPVisionModel(CLIPVisionConfig(**SIZES))
    elif kind == "dinov2":
        sizes = {k: v for k, v in SIZES.items() if k != "intermediate_size"}
        model = Dinov2Model(Dinov2Config(**sizes))
    else:
        model = SiglipVisionModel(SiglipVisionConfig(**SIZES))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    model.set_attn_implementation("eager")
    return model.eval()


@torch.no_grad()
def recorded(model, leading, pixels):
    records = []
    handle = watch(layer_attention(model), lambda: (6, 6), lambda: leading, records.append)
    maps = model(pixel_values=pixels, output_attentions=True).attentions
    handle.remove()
    return records[0], maps[-2]


@pytest.mark.parametrize(("kind", "leading"), [("clip", 1), ("siglip", 0), ("dinov2", 1)])
@pytest.mark.parametrize("include_cls", [False, True])
def test_equals_the_eager_map(kind, leading, include_cls):
    record, maps = recorded(tower(kind), leading, torch.randn(2, 3, 84, 84))
    assert record.counts == (36, 36)
    found = record.scores(include_cls).view(2, 36)
    for image in range(2):
        whole = maps[image] if include_cls else maps[image][:, leading:, leading:]
        expected = fopru_significance(whole)[leading if include_cls else 0 :]
        torch.testing.assert_close(found[image], expected, atol=1e-6, rtol=1e-5)


def test_one_image_of_several():
    record, _ = recorded(tower("clip"), 1, torch.randn(3, 3, 84, 84))
    whole = record.scores().view(3, 36)
    torch.testing.assert_close(record.scores(images=slice(1, 2)), whole[1])


def test_a_tower_without_separate_projections_is_refused():
    block = torch.nn.Module()
    block.layers = torch.nn.ModuleList([torch.nn.Linear(2, 2) for _ in range(3)])
    with pytest.raises(UnsupportedModelError, match="separate query and key"):
        layer_attention(block)
    with pytest.raises(UnsupportedModelError, match="no stack"):
        layer_attention(torch.nn.Linear(2, 2))
