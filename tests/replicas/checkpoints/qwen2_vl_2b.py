"""Qwen2-VL, saved by transformers 4.41; what it does not share with Qwen2.5-VL is not confirmed."""

from __future__ import annotations

from tests.replicas.checkpoint import Checkpoint
from tests.replicas.checkpoints import qwen25_vl_3b as qwen
from tests.replicas.checkpoints.parts import QWEN2, under
from tests.replicas.tokens import ByteLevel

CHECKPOINT = Checkpoint(
    hub="Qwen/Qwen2-VL-2B-Instruct",
    config=qwen.CONFIG
    | {
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "max_position_embeddings": 32768,
        "max_window_layers": 28,
        "model_type": "qwen2_vl",
        "vision_config": {
            "depth": 4,
            "embed_dim": 32,
            "mlp_ratio": 4,
            "num_heads": 2,
            "in_chans": 3,
            "hidden_size": 32,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "spatial_patch_size": 14,
            "temporal_patch_size": 2,
        },
    },
    files={
        "chat_template.json": {"chat_template": qwen.TEMPLATE},
        "generation_config.json": qwen.SAMPLING
        | {
            "temperature": 0.01,
            "top_k": 1,
            "top_p": 0.001,
            "transformers_version": "4.37.0",
        },
        "preprocessor_config.json": qwen.IMAGES
        | {"image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2VLProcessor"},
        "tokenizer_config.json": qwen.TOKENIZER | {"padding_side": "left"},
    },
    spelling=ByteLevel(qwen.SPECIAL),
    weights=(
        *under("model.", QWEN2),
        "visual.patch_embed.proj.weight",
        "visual.blocks.{0..3}.attn.{qkv,proj}.{weight,bias}",
        "visual.blocks.{0..3}.mlp.fc{1,2}.{weight,bias}",
        "visual.blocks.{0..3}.norm{1,2}.{weight,bias}",
        "visual.merger.ln_q.{weight,bias}",
        "visual.merger.mlp.{0,2}.{weight,bias}",
    ),
    modules=qwen.PARTED,
    prompt=qwen.PROMPT,
    placeholder="<|image_pad|>",
    tied=True,
)
