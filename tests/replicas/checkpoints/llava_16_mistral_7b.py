"""LLaVA-NeXT with Mistral, saved by transformers 4.39."""

from __future__ import annotations

from typing import Any

import torch

from tests.replicas.checkpoint import QUESTION, Checkpoint
from tests.replicas.checkpoints import llava_15_7b as llava
from tests.replicas.tokens import Llama

TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ '<<SYS>>\n' + message['content'][0]['text'] + '\n<</SYS>>\n\n' }}"
    "{% elif message['role'] == 'user' %}{{ '[INST] ' }}{# Render all images first #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\n' }}{% endfor %}{# Render all text next #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ content['text'] }}{% endfor %}{{' [/INST]' }}{% elif message['role'] == 'assistant' %}"
    "{{ ' ' + message['content'][0]['text'] + '</s> '}}{% else %}"
    "{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
PINPOINTS = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
CONFIG: dict[str, Any] = {
    "architectures": ["LlavaNextForConditionalGeneration"],
    "ignore_index": -100,
    "image_grid_pinpoints": PINPOINTS,
    "image_token_index": 32000,
    "model_type": "llava_next",
    "projector_hidden_act": "gelu",
    "torch_dtype": "float16",
    "transformers_version": "4.39.0.dev0",
    "use_image_newline_parameter": True,
    "vision_config": llava.CLIP_L,
    "vision_feature_layer": -2,
    "vision_feature_select_strategy": "default",
    "vocab_size": 32064,
}
"""Of all models of the family; it says nothing of tied embeddings."""
MISTRAL = {
    "_name_or_path": "mistralai/Mistral-7B-Instruct-v0.2",
    "architectures": ["MistralForCausalLM"],
    "intermediate_size": 64,
    "max_position_embeddings": 32768,
    "model_type": "mistral",
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-05,
    "rope_theta": 1000000.0,
    "sliding_window": None,
    "torch_dtype": "bfloat16",
    "vocab_size": 32064,
    # Left out, because they are MistralConfig's usual ones; smaller here.
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
}
FILES: dict[str, Any] = {
    "added_tokens.json": {"<image>": 32000, "<pad>": 32001},
    "generation_config.json": llava.GENERATION | {"transformers_version": "4.39.0.dev0"},
    "preprocessor_config.json": llava.CLIP_IMAGES
    | {
        "aspect_ratio_setting": "anyres",
        "do_pad": True,
        "image_grid_pinpoints": PINPOINTS,
        "image_processor_type": "LlavaNextImageProcessor",
        "processor_class": "LlavaNextProcessor",
    },
    "processor_config.json": llava.PROCESSOR | {"processor_class": "LlavaNextProcessor"},
    "tokenizer_config.json": llava.TOKENIZER | {"processor_class": "LlavaNextProcessor"},
}
TOKENS = 576 + 12 * (48 + 1)
"""The whole picture, and two tiles side by side, of whose 24 rows it fills 12; each row ends in a
newline."""

CHECKPOINT = Checkpoint(
    hub="llava-hf/llava-v1.6-mistral-7b-hf",
    config=CONFIG | {"text_config": MISTRAL},
    files=FILES | {"chat_template.json": {"chat_template": TEMPLATE}},
    spelling=Llama(llava.SPECIAL),
    weights=(*llava.WEIGHTS, "image_newline"),
    modules=llava.PARTED,
    prompt=f"<s>[INST] {TOKENS * '<image>'}\n{QUESTION} [/INST]",
    placeholder="<image>",
    dtype=torch.float16,
    shards=4,
)
