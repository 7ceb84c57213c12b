"""LLaVA-OneVision, saved by transformers 4.45: the head has no weights, and only the language
model's part of the configuration says that it is the embedding."""

from __future__ import annotations

import torch

from tests.replicas.checkpoint import QUESTION, Checkpoint
from tests.replicas.checkpoints.llava_15_7b import PARTED
from tests.replicas.checkpoints.parts import BYTE, HALF, QWEN2, SIGLIP, added, under
from tests.replicas.tokens import ByteLevel

SPECIAL = {
    "<|endoftext|>": 151643,
    "<|im_start|>": 151644,
    "<|im_end|>": 151645,
    "<image>": 151646,
    "<video>": 151647,
}
TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + ' '}}"
    "{# Render all images first #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>' }}{% endfor %}{# Render all video then #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'video') %}"
    "{{ '<video>' }}{% endfor %}{# Render all text next #}"
    "{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ '\n' + content['text'] }}{% endfor %}{% else %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ '\n' + content['text'] }}{% endgeneration %}{% endfor %}{% endif %}"
    "{{'<|im_end|>'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PINPOINTS = [[384 * rows, 384 * columns] for rows in range(1, 7) for columns in range(1, 7)]
IMAGES = {
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "processor_class": "LlavaOnevisionProcessor",
    "resample": 3,
    "rescale_factor": BYTE,
    "size": {"height": 384, "width": 384},
    **HALF,
}
TOKENS = 729 + 13 * (54 + 1)
"""The whole picture, and two tiles side by side, of whose 27 rows it fills 13; each row ends in a
newline."""

CHECKPOINT = Checkpoint(
    hub="llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
    config={
        "architectures": ["LlavaOnevisionForConditionalGeneration"],
        "ignore_index": -100,
        "image_grid_pinpoints": PINPOINTS,
        "image_token_index": 151646,
        "model_type": "llava_onevision",
        "projector_hidden_act": "gelu",
        "text_config": {
            "_name_or_path": "Qwen/Qwen2-0.5B-Instruct",
            "architectures": ["Qwen2ForCausalLM"],
            "bos_token_id": 151643,
            "eos_token_id": 151645,
            "hidden_size": 32,
            "intermediate_size": 64,
            "max_window_layers": 24,
            "model_type": "qwen2",
            "num_attention_heads": 4,
            "num_hidden_layers": 4,
            "num_key_value_heads": 2,
            "rope_theta": 1000000.0,
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
            "vocab_size": 152000,
        },
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "transformers_version": "4.45.0.dev0",
        "use_image_newline_parameter": True,
        "video_token_index": 151647,
        "vision_aspect_ratio": "anyres_max_9",
        "vision_config": {
            "hidden_size": 32,
            "image_size": 384,
            "intermediate_size": 64,
            "model_type": "siglip_vision_model",
            "num_attention_heads": 2,
            "num_hidden_layers": 3,
            "patch_size": 14,
            "vision_use_head": False,
        },
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
    },
    files={
        "added_tokens.json": SPECIAL,
        "chat_template.json": {"chat_template": TEMPLATE},
        "generation_config.json": {
            "_from_model_config": True,
            "bos_token_id": 151643,
            "eos_token_id": 151645,
            "transformers_version": "4.45.0.dev0",
        },
        "preprocessor_config.json": IMAGES
        | {
            "do_pad": True,
            "image_grid_pinpoints": PINPOINTS,
            "image_processor_type": "LlavaOnevisionImageProcessor",
        },
        "processor_config.json": {
            "image_token": "<image>",
            "num_image_tokens": 729,
            "processor_class": "LlavaOnevisionProcessor",
            "video_token": "<video>",
            "vision_feature_select_strategy": "full",
        },
        "tokenizer_config.json": {
            "add_prefix_space": False,
            "added_tokens_decoder": added(SPECIAL),
            "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
            "bos_token": None,
            # The language model's own, which knows nothing of pictures; it is not confirmed that
            # the checkpoint still has it.
            "chat_template": "{% for message in messages %}{{ message['content'] }}{% endfor %}",
            "clean_up_tokenization_spaces": False,
            "eos_token": "<|im_end|>",
            "errors": "replace",
            "model_max_length": 32768,
            "pad_token": "<|endoftext|>",
            "processor_class": "LlavaOnevisionProcessor",
            "split_special_tokens": False,
            "tokenizer_class": "Qwen2Tokenizer",
            "unk_token": None,
        },
        "video_preprocessor_config.json": IMAGES
        | {"video_processor_type": "LlavaOnevisionVideoProcessor"},
    },
    spelling=ByteLevel(SPECIAL),
    weights=(
        *under("language_model.model.", QWEN2),
        *under("vision_tower.vision_model.", SIGLIP),
        "multi_modal_projector.linear_{1,2}.{weight,bias}",
        "image_newline",
    ),
    modules=PARTED,
    prompt=(f"<|im_start|>user {TOKENS * '<image>'}\n{QUESTION}<|im_end|><|im_start|>assistant\n"),
    placeholder="<image>",
    tied=True,
    dtype=torch.float16,
    shards=1,
)
