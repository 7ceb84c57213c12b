"""LLaVA-1.5, saved by transformers 4.36; every file but the weights is confirmed."""

from __future__ import annotations

import torch

from tests.replicas.checkpoint import QUESTION, Checkpoint
from tests.replicas.checkpoints.parts import BYTE, CLIP, LLAMA, OPENAI, added, under
from tests.replicas.tokens import Llama

SPECIAL = {"<unk>": 0, "<s>": 1, "</s>": 2, "<image>": 32000, "<pad>": 32001}
TEMPLATE = (
    "{% for message in messages %}{% if message['role'] != 'system' %}"
    "{{ message['role'].upper() + ': '}}{% endif %}{# Render all images first #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\n' }}{% endfor %}{# Render all text next #}"
    "{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ content['text'] + ' '}}{% endfor %}{% else %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
VICUNA = {
    "_name_or_path": "lmsys/vicuna-7b-v1.5",
    "architectures": ["LlamaForCausalLM"],
    "max_position_embeddings": 4096,
    "model_type": "llama",
    "rms_norm_eps": 1e-05,
    "torch_dtype": "float16",
    "vocab_size": 32064,
    # Left out, because they are LlamaConfig's usual ones; smaller here.
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
}
CLIP_L = {
    "hidden_size": 32,
    "image_size": 336,
    "intermediate_size": 64,
    "model_type": "clip_vision_model",
    "num_attention_heads": 2,
    "num_hidden_layers": 3,
    "patch_size": 14,
    "projection_dim": 768,
    "vocab_size": 32000,
}
TOKENIZER = {
    "add_bos_token": True,
    "add_eos_token": False,
    "add_prefix_space": None,
    "added_tokens_decoder": added(SPECIAL),
    "bos_token": "<s>",
    "clean_up_tokenization_spaces": False,
    "eos_token": "</s>",
    "extra_special_tokens": {"image_token": "<image>"},
    "image_token": "<image>",
    "legacy": False,
    "model_max_length": 1000000000000000019884624838656,
    "pad_token": "<pad>",
    "padding_side": "left",
    "processor_class": "LlavaProcessor",
    "sp_model_kwargs": {},
    "tokenizer_class": "LlamaTokenizer",
    "trust_remote_code": False,
    "unk_token": "<unk>",
    "use_default_system_prompt": False,
}
CLIP_IMAGES = {
    "crop_size": {"height": 336, "width": 336},
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_processor_type": "CLIPImageProcessor",
    "processor_class": "LlavaProcessor",
    "resample": 3,
    "rescale_factor": BYTE,
    "size": {"shortest_edge": 336},
    **OPENAI,
}
PROCESSOR = {
    "image_token": "<image>",
    "num_additional_image_tokens": 1,
    "patch_size": 14,
    "processor_class": "LlavaProcessor",
    "vision_feature_select_strategy": "default",
}
GENERATION = {
    "_from_model_config": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 32001,
    "transformers_version": "4.36.0.dev0",
}
PARTED = (
    (r"^language_model\.lm_head", "lm_head"),
    (r"^language_model\.model", "model.language_model"),
    (r"^vision_tower\.vision_model", "model.vision_tower"),
    (r"^(multi_modal_projector|image_newline)", r"model.\1"),
)
"""What was renamed since: the language model was a whole one with its head, in a part."""
WEIGHTS = (
    "language_model.lm_head.weight",
    *under("language_model.model.", LLAMA),
    *under("vision_tower.vision_model.", CLIP),
    "multi_modal_projector.linear_{1,2}.{weight,bias}",
)

CHECKPOINT = Checkpoint(
    hub="llava-hf/llava-1.5-7b-hf",
    config={
        "architectures": ["LlavaForConditionalGeneration"],
        "ignore_index": -100,
        "image_token_index": 32000,
        "model_type": "llava",
        "pad_token_id": 32001,
        "projector_hidden_act": "gelu",
        "text_config": VICUNA,
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "transformers_version": "4.36.0.dev0",
        "vision_config": CLIP_L,
        "vision_feature_layer": -2,
        "vision_feature_select_strategy": "default",
        "vocab_size": 32064,
    },
    files={
        "added_tokens.json": {"<image>": 32000, "<pad>": 32001},
        # The same template twice, for older releases and for newer ones.
        "chat_template.jinja": TEMPLATE,
        "chat_template.json": {"chat_template": TEMPLATE},
        "generation_config.json": GENERATION,
        "preprocessor_config.json": CLIP_IMAGES,
        "processor_config.json": PROCESSOR,
        "tokenizer_config.json": TOKENIZER,
    },
    spelling=Llama(SPECIAL),
    weights=WEIGHTS,
    modules=PARTED,
    prompt=f"<s>USER: {576 * '<image>'}\n{QUESTION} ASSISTANT:",
    placeholder="<image>",
    dtype=torch.float16,
    shards=3,
)
