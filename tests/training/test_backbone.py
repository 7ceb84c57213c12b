"""The tower that training starts from gives what the package's transformer gives."""

import pytest
import torch
from torch.nn.functional import cosine_similarity
from transformers import CLIPVisionModel, Dinov2Config, Dinov2Model
from transformers.image_utils import (
    IMAGENET_DEFAULT_MEAN,
    IMAGENET_DEFAULT_STD,
    OPENAI_CLIP_MEAN,
    OPENAI_CLIP_STD,
)

from training.architecture import vision_config
from training.backbone import take_backbone
from training.settings import ModelSettings

SIZES = ModelSettings(vision_width=384, vision_layers=2, vision_heads=4)


def as_graph(model: Dinov2Model) -> dict[str, torch.Tensor]:
    """The model's weights under the names that the package's graph gives them."""
    # Newer releases of transformers call the projections otherwise than the graph does.
    names = {"q_proj": "attention.query", "k_proj": "attention.key", "v_proj": "attention.value"}
    names |= {"o_proj": "output.dense"}
    found = {}
    for name, value in model.state_dict().items():
        for own, graph in names.items():
            name = name.replace(f"attention.{own}", f"attention.{graph}")
        found[f"backbone.{name}"] = value
    places = found.pop("backbone.embeddings.position_embeddings")[0]
    return found | {"class_position": places[0], "positions": places[1:]}


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=224,
        patch_size=14,
        layerscale_value=0.5,
    )
    published = Dinov2Model(config).eval()
    with torch.no_grad():
        for value in published.parameters():
            value.add_(0.05 * torch.randn_like(value))
        # Embeddings are as small as the package's.
        for part in (
            published.embeddings.patch_embeddings.projection.weight,
            published.embeddings.position_embeddings,
            published.embeddings.cls_token,
        ):
            part.mul_(0.1)
    tower = CLIPVisionModel(vision_config(SIZES)).eval()
    take_backbone(tower, as_graph(published))
    return published, tower


@torch.inference_mode()
def test_states_are_those_of_the_published_transformer(models):
    published, tower = models
    picture = torch.rand(2, 3, 224, 224)

    def pixels(mean, std):
        return (picture - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]

    wanted = published(
        pixels(IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD), output_hidden_states=True
    ).hidden_states
    found = tower(
        pixels(OPENAI_CLIP_MEAN, OPENAI_CLIP_STD), output_hidden_states=True
    ).hidden_states
    for ours, theirs in zip(found, wanted[:3], strict=True):
        # One direction of the embeddings is lost, that in which they vary least.
        assert cosine_similarity(ours, theirs, dim=-1).mean() > 0.95


def test_another_width_is_refused(models):
    published, _ = models
    sizes = ModelSettings(vision_width=32, vision_layers=2, vision_heads=2)
    with pytest.raises(RuntimeError, match="size mismatch"):
        take_backbone(CLIPVisionModel(vision_config(sizes)), as_graph(published))
