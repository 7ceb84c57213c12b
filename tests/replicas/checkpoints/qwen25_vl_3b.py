"""Qwen2.5-VL, saved by transformers 4.41, with all of the language model's settings in the open."""

from __future__ import annotations

from typing import Any

from tests.replicas.checkpoint import QUESTION, Checkpoint
from tests.replicas.checkpoints.parts import OPENAI, QWEN2, added, under
from tests.replicas.tokens import ByteLevel

SPECIAL = {
    "<|endoftext|>": 151643,
    "<|im_start|>": 151644,
    "<|im_end|>": 151645,
    "<|object_ref_start|>": 151646,
    "<|object_ref_end|>": 151647,
    "<|box_start|>": 151648,
    "<|box_end|>": 151649,
    "<|quad_start|>": 151650,
    "<|quad_end|>": 151651,
    "<|vision_start|>": 151652,
    "<|vision_end|>": 151653,
    "<|vision_pad|>": 151654,
    "<|image_pad|>": 151655,
    "<|video_pad|>": 151656,
}
TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}"
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
    "{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}"
    "Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}"
    "Video {{ video_count.value }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CONFIG: dict[str, Any] = {
    "attention_dropout": 0.0,
    "bos_token_id": 151643,
    "eos_token_id": 151645,
    "vision_start_token_id": 151652,
    "vision_end_token_id": 151653,
    "vision_token_id": 151654,
    "image_token_id": 151655,
    "video_token_id": 151656,
    "hidden_act": "silu",
    "hidden_size": 32,
    "initializer_range": 0.02,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 4,
    "num_key_value_heads": 1,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 32768,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.41.2",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 151936,
    # [16, 24, 24] for heads of 128.
    "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
}
"""Also of Qwen2-VL."""
TOKENIZER: dict[str, Any] = {
    "add_prefix_space": False,
    "added_tokens_decoder": added(SPECIAL),
    "additional_special_tokens": list(SPECIAL)[1:],
    "bos_token": None,
    "chat_template": TEMPLATE,
    "clean_up_tokenization_spaces": False,
    "eos_token": "<|im_end|>",
    "errors": "replace",
    "model_max_length": 32768,
    "pad_token": "<|endoftext|>",
    "split_special_tokens": False,
    "tokenizer_class": "Qwen2Tokenizer",
    "unk_token": None,
}
IMAGES = {
    "min_pixels": 3136,
    "max_pixels": 12845056,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    **OPENAI,
}
SAMPLING = {
    "bos_token_id": 151643,
    "pad_token_id": 151643,
    "do_sample": True,
    "eos_token_id": [151645, 151643],
}
PARTED = ((r"^model\.", "model.language_model."), (r"^visual\.", "model.visual."))
PROMPT = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
    # 504 x 112 pixels, 28 x 28 a token.
    f"<|vision_start|>{18 * 4 * '<|image_pad|>'}<|vision_end|>{QUESTION}<|im_end|>\n"
    "<|im_start|>assistant\n"
)

CHECKPOINT = Checkpoint(
    hub="Qwen/Qwen2.5-VL-3B-Instruct",
    config=CONFIG
    | {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "max_position_embeddings": 128000,
        "max_window_layers": 70,
        "model_type": "qwen2_5_vl",
        "vision_config": {
            "depth": 4,
            "hidden_act": "silu",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "in_chans": 3,
            "out_hidden_size": 32,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "spatial_patch_size": 14,
            "window_size": 112,
            # Every eighth of 32.
            "fullatt_block_indexes": [1, 3],
            "tokens_per_second": 2,
            "temporal_patch_size": 2,
        },
    },
    files={
        "chat_template.json": {"chat_template": TEMPLATE},
        "generation_config.json": SAMPLING
        | {
            "repetition_penalty": 1.05,
            "temperature": 0.000001,
            "transformers_version": "4.49.0",
        },
        "preprocessor_config.json": IMAGES
        | {
            "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": "Qwen2_5_VLProcessor",
        },
        "tokenizer_config.json": TOKENIZER,
    },
    spelling=ByteLevel(SPECIAL),
    weights=(
        *under("model.", QWEN2),
        "visual.patch_embed.proj.weight",
        "visual.blocks.{0..3}.attn.{qkv,proj}.{weight,bias}",
        "visual.blocks.{0..3}.mlp.{gate,up,down}_proj.{weight,bias}",
        "visual.blocks.{0..3}.norm{1,2}.weight",
        "visual.merger.ln_q.weight",
        "visual.merger.mlp.{0,2}.{weight,bias}",
    ),
    modules=PARTED,
    prompt=PROMPT,
    placeholder="<|image_pad|>",
    tied=True,
)
