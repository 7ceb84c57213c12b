"""Build the untrained parts with stock transformers classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from training.labels import COLOUR_INDEX, NUM_LABELS, TEXT_INDEX
from training.settings import ModelSettings

NUM_TEXTS = len(TEXT_INDEX) + 1
NUM_COLOURS = len(COLOUR_INDEX) + 1
_IGNORED = -100


def vision_config(sizes: ModelSettings) -> CLIPVisionConfig:
    """Return the tower's configuration: CLIP's, with a class token."""
    return CLIPVisionConfig(
        hidden_size=sizes.vision_width,
        intermediate_size=4 * sizes.vision_width,
        projection_dim=sizes.vision_width,
        num_hidden_layers=sizes.vision_layers,
        num_attention_heads=sizes.vision_heads,
        image_size=sizes.image_size,
        patch_size=sizes.patch_size,
        hidden_act="gelu",
        layer_norm_eps=1e-6,
    )


def text_config(sizes: ModelSettings, vocabulary: int, special: dict[str, int]) -> LlamaConfig:
    """Return the decoder's configuration: Llama's, with tied word embeddings."""
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=sizes.text_width,
        intermediate_size=sizes.text_mlp,
        num_hidden_layers=sizes.text_layers,
        num_attention_heads=sizes.text_heads,
        num_key_value_heads=sizes.text_heads,
        max_position_embeddings=sizes.max_positions,
        initializer_range=sizes.init_std,
        rope_parameters={"rope_type": "default", "rope_theta": sizes.rope_theta},
        tie_word_embeddings=True,
        **special,
    )


def build_llava(
    sizes: ModelSettings, vocabulary: int, special: dict[str, int], image_token: int
) -> LlavaForConditionalGeneration:
    """Build the whole untrained model.

    Parameters
    ----------
    sizes : ModelSettings
        Widths and depths.
    vocabulary : int
        Number of tokens.
    special : dict of str to int
        ``bos_token_id``, ``eos_token_id`` and ``pad_token_id``.
    image_token : int
        The placeholder's token id.

    Returns
    -------
    LlavaForConditionalGeneration
        float32, random weights.
    """
    config = LlavaConfig(
        vision_config=vision_config(sizes),
        text_config=text_config(sizes, vocabulary, special),
        image_token_index=image_token,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        image_seq_length=(sizes.image_size // sizes.patch_size) ** 2,
        tie_word_embeddings=True,
        **special,
    )
    return LlavaForConditionalGeneration(config)


class PatchHeads(nn.Module):
    """Linear read-outs used only in training: what every patch and the picture show.

    Parameters
    ----------
    width : int
        Width of the tower.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.kind = nn.Linear(width, NUM_LABELS)
        self.text = nn.Linear(width, NUM_TEXTS)
        self.colour = nn.Linear(width, NUM_COLOURS)
        self.centre = nn.Linear(width, 1)
        self.present = nn.Linear(width, NUM_LABELS)

    def loss(self, patches: Tensor, pooled: Tensor, labels: dict[str, Tensor]) -> Tensor:
        """Return the summed loss of all read-outs.

        Parameters
        ----------
        patches : Tensor, shape (batch, patches, width)
            The tower's penultimate layer without the class token.
        pooled : Tensor, shape (batch, width)
            The class token after the last layer.
        labels : dict of str to Tensor
            ``kind``, ``text``, ``colour`` and ``centre``, int64, shape (batch, patches).

        Returns
        -------
        Tensor
            Scalar.
        """
        cross = nn.functional.cross_entropy
        kinds = labels["kind"]
        weight = torch.full((NUM_LABELS,), 1.0, device=patches.device)
        weight[0] = 0.3
        total = cross(self.kind(patches).flatten(0, 1).float(), kinds.flatten(), weight)
        # Cards alone have text and colour. Choosing their patches would make a GPU wait.
        cards = (labels["text"] > 0).sum().clamp_min(1)
        for field, head, share in (("text", self.text, 1.0), ("colour", self.colour, 0.3)):
            wanted = labels[field].masked_fill(labels[field] == 0, _IGNORED)
            found = head(patches).flatten(0, 1).float()
            part = cross(found, wanted.flatten(), ignore_index=_IGNORED, reduction="sum")
            total = total + share * part / cards
        logits = self.centre(patches).squeeze(-1).float()
        positive = torch.tensor(8.0, device=patches.device)
        total = total + 2 * nn.functional.binary_cross_entropy_with_logits(
            logits, labels["centre"].float(), pos_weight=positive
        )
        shown = torch.zeros(kinds.shape[0], NUM_LABELS, device=patches.device)
        shown.scatter_(1, kinds, 1.0)
        return total + nn.functional.binary_cross_entropy_with_logits(
            self.present(pooled).float(), shown
        )
