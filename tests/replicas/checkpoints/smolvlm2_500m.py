"""SmolVLM2, saved by transformers 4.47."""

from __future__ import annotations

from typing import Any

import torch

from tests.replicas.checkpoint import QUESTION, Checkpoint
from tests.replicas.checkpoints.parts import BYTE, HALF, LLAMA, SIGLIP, added, under
from tests.replicas.tokens import Smol

SPECIAL = {
    "<|endoftext|>": 0,
    "<|im_start|>": 1,
    "<|im_end|>": 2,
    "<global-img>": 49152,
    **{
        f"<row_{row}_col_{column}>": 49146 + 6 * row + column
        for row in range(1, 7)
        for column in range(1, 7)
    },
    "<fake_token_around_image>": 49189,
    "<image>": 49190,
    **{f"<|reserved_special_token_{n}|>": 49191 + n for n in range(88)},
    "<end_of_utterance>": 49279,
}
TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
TEXT: dict[str, Any] = {
    "architectures": ["VLlama3ForCausalLM"],
    "head_dim": 8,
    "hidden_size": 32,
    "intermediate_size": 64,
    "is_llama_config": True,
    "max_position_embeddings": 8192,
    "model_type": "llama",
    "neftune_noise_alpha": 0.0,
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 2,
    "pixel_shuffle_factor": 4,
    "qk_layer_norms": False,
    "rms_norm_eps": 1e-05,
    "rope_interleaved": False,
    "rope_theta": 100000,
    "torch_dtype": "bfloat16",
    "use_resampler": False,
    "vocab_size": 49280,
}
VISION: dict[str, Any] = {
    "hidden_size": 32,
    "image_size": 512,
    "max_image_size": {"longest_edge": 512},
    "model_type": "smolvlm_vision",
    "num_attention_heads": 4,
    "patch_size": 16,
    "size": {"longest_edge": 2048},
    "tie_word_embeddings": False,
    "use_base_siglip": False,
    # Left out, because they are the usual ones; smaller here.
    "intermediate_size": 64,
    "num_hidden_layers": 3,
}
CONFIG: dict[str, Any] = {
    "architectures": ["SmolVLMForConditionalGeneration"],
    "image_token_id": 49190,
    "model_type": "smolvlm",
    # No token: the language model's part names another.
    "pad_token_id": 128002,
    "scale_factor": 4,
    "text_config": TEXT,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "transformers_version": "4.47.1",
    "use_cache": False,
    "use_reentrant_checkpointing": False,
    "vision_config": VISION,
    "vocab_size": 49280,
}
IMAGES: dict[str, Any] = {
    "do_convert_rgb": True,
    "do_image_splitting": True,
    "do_normalize": True,
    "do_pad": True,
    "do_rescale": True,
    "do_resize": True,
    "image_processor_type": "SmolVLMImageProcessor",
    "max_image_size": {"longest_edge": 512},
    "processor_class": "SmolVLMProcessor",
    "resample": 1,
    "rescale_factor": BYTE,
    "size": {"longest_edge": 2048},
    "video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 512}},
    **HALF,
}
EXTRA = {
    "end_of_utterance_token": "<end_of_utterance>",
    "fake_image_token": "<fake_token_around_image>",
    "global_image_token": "<global-img>",
    "image_token": "<image>",
}
TOKENIZER: dict[str, Any] = {
    "added_tokens_decoder": added(SPECIAL),
    "additional_special_tokens": ["<fake_token_around_image>", "<image>", "<end_of_utterance>"],
    "bos_token": "<|im_start|>",
    "clean_up_tokenization_spaces": False,
    "eos_token": "<end_of_utterance>",
    "extra_special_tokens": EXTRA,
    "model_max_length": 8192,
    "pad_token": "<|im_end|>",
    "processor_class": "SmolVLMProcessor",
    "tokenizer_class": "GPT2Tokenizer",
    "truncation_side": "left",
    "unk_token": "<|endoftext|>",
    **EXTRA,
}
# These are not confirmed.
GENERATION = {
    "_from_model_config": True,
    "bos_token_id": 1,
    "eos_token_id": 49279,
    "pad_token_id": 2,
    "transformers_version": "4.47.1",
}
WEIGHTS = (
    "lm_head.weight",
    *under("model.text_model.", LLAMA),
    *under("model.vision_model.", SIGLIP),
    "model.connector.modality_projection.proj.weight",
)


def crops(tokens: int, rows: int, columns: int) -> str:
    """A picture in tiles, row by row, and as a whole; each has so many tokens."""
    around, crop = "<fake_token_around_image>", tokens * "<image>"
    lines = (
        "".join(f"{around}<row_{row}_col_{column}>{crop}" for column in range(1, columns + 1))
        for row in range(1, rows + 1)
    )
    return "".join(f"{line}\n" for line in lines) + f"\n{around}<global-img>{crop}{around}"


# 2048 x 512 pixels.
PROMPT = f"<|im_start|>User:{crops(64, rows=1, columns=4)}{QUESTION}<end_of_utterance>\nAssistant:"

CHECKPOINT = Checkpoint(
    hub="HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
    config=CONFIG,
    files={
        "chat_template.json": {"chat_template": TEMPLATE},
        "generation_config.json": GENERATION,
        "preprocessor_config.json": IMAGES,
        "processor_config.json": {"image_seq_len": 64, "processor_class": "SmolVLMProcessor"},
        "tokenizer_config.json": TOKENIZER,
    },
    spelling=Smol(SPECIAL),
    weights=WEIGHTS,
    prompt=PROMPT,
    placeholder="<image>",
    dtype=torch.float32,
    shards=1,
)
