"""InternVL3, saved by transformers 4.52 before names changed; it says nothing of tied embeddings,
and has a head."""

from __future__ import annotations

from tests.replicas.checkpoint import QUESTION, Checkpoint
from tests.replicas.checkpoints import qwen25_vl_3b as qwen
from tests.replicas.checkpoints.llava_15_7b import PARTED
from tests.replicas.checkpoints.parts import BYTE, QWEN2, added, under
from tests.replicas.tokens import ByteLevel

# Qwen2.5's, then these.
OWN = [
    "<img>",
    "</img>",
    "<IMG_CONTEXT>",
    "<quad>",
    "</quad>",
    "<ref>",
    "</ref>",
    "<box>",
    "</box>",
]
SPECIAL = qwen.SPECIAL | {token: 151665 + n for n, token in enumerate([*OWN, "<video>"])}
TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}"
    "{{ '<IMG_CONTEXT>\n' }}{% elif content['type'] == 'video' %}{{ '<video>\n' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{{'<|im_end|>\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{'<|im_start|>assistant\n' }}{% endif %}"
)
EXTRA = {
    "context_image_token": "<IMG_CONTEXT>",
    "end_image_token": "</img>",
    "start_image_token": "<img>",
    "video_token": "<video>",
}
IMAGES = {
    "crop_size": None,
    # The family's own processor cuts all the same.
    "crop_to_patches": False,
    "data_format": "channels_first",
    "default_to_square": True,
    "device": None,
    "do_center_crop": None,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "input_data_format": None,
    "max_patches": 12,
    "min_patches": 1,
    "processor_class": "InternVLProcessor",
    "resample": 3,
    "rescale_factor": BYTE,
    "return_tensors": None,
    "size": {"height": 448, "width": 448},
}
CROPS = 4 + 1

CHECKPOINT = Checkpoint(
    hub="OpenGVLab/InternVL3-1B-hf",
    config={
        "architectures": ["InternVLForConditionalGeneration"],
        "downsample_ratio": 0.5,
        "image_seq_length": 256,
        "image_token_id": 151667,
        "model_type": "internvl",
        "projector_hidden_act": "gelu",
        "text_config": {
            "architectures": ["Qwen2ForCausalLM"],
            "attention_dropout": 0.0,
            "bos_token_id": 151643,
            "eos_token_id": 151645,
            "hidden_act": "silu",
            "hidden_size": 32,
            "initializer_range": 0.02,
            "intermediate_size": 64,
            "max_position_embeddings": 32768,
            "max_window_layers": 70,
            "model_type": "qwen2",
            "num_attention_heads": 4,
            "num_hidden_layers": 4,
            "num_key_value_heads": 2,
            "rms_norm_eps": 1e-06,
            # Not confirmed for this size.
            "rope_scaling": {"factor": 2.0, "rope_type": "dynamic", "type": "dynamic"},
            "rope_theta": 1000000.0,
            "sliding_window": None,
            "torch_dtype": "bfloat16",
            "use_cache": True,
            "use_sliding_window": False,
            "vocab_size": 151674,
        },
        "torch_dtype": "bfloat16",
        "transformers_version": "4.52.0.dev0",
        "vision_config": {
            "architectures": ["InternVisionModel"],
            "attention_bias": True,
            "attention_dropout": 0.0,
            "dropout": 0.0,
            "hidden_act": "gelu",
            "hidden_dropout_prob": 0.0,
            "hidden_size": 32,
            "image_size": [448, 448],
            "initializer_factor": 0.1,
            "initializer_range": 1e-10,
            "intermediate_size": 64,
            "layer_norm_eps": 1e-06,
            "layer_scale_init_value": 0.1,
            "model_type": "internvl_vision",
            "norm_type": "layer_norm",
            "num_attention_heads": 2,
            "num_channels": 3,
            "num_hidden_layers": 3,
            "patch_size": [14, 14],
            "projection_dropout": 0.0,
            "torch_dtype": "bfloat16",
            "use_absolute_position_embeddings": True,
            "use_mask_token": False,
            "use_mean_pooling": True,
            "use_qk_norm": False,
        },
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "default",
    },
    files={
        "chat_template.jinja": TEMPLATE,
        "generation_config.json": {
            "_from_model_config": True,
            "bos_token_id": 151643,
            "eos_token_id": 151645,
            "transformers_version": "4.52.0.dev0",
        },
        "preprocessor_config.json": IMAGES | {"image_processor_type": "GotOcr2ImageProcessorFast"},
        "processor_config.json": {"image_seq_length": 256, "processor_class": "InternVLProcessor"},
        "tokenizer_config.json": {
            name: value for name, value in qwen.TOKENIZER.items() if name != "chat_template"
        }
        | {
            "added_tokens_decoder": added(SPECIAL),
            "extra_special_tokens": EXTRA,
            "model_max_length": 8192,
            "processor_class": "InternVLProcessor",
            **EXTRA,
        },
        "video_preprocessor_config.json": IMAGES
        | {"video_processor_type": "InternVLVideoProcessor"},
    },
    spelling=ByteLevel(SPECIAL),
    weights=(
        "language_model.lm_head.weight",
        *under("language_model.model.", QWEN2),
        "vision_tower.embeddings.{cls_token,position_embeddings}",
        "vision_tower.embeddings.patch_embeddings.projection.{weight,bias}",
        "vision_tower.encoder.layer.{0..2}.lambda_{1,2}",
        "vision_tower.encoder.layer.{0..2}.layernorm_{before,after}.{weight,bias}",
        "vision_tower.encoder.layer.{0..2}.mlp.fc{1,2}.{weight,bias}",
        "vision_tower.encoder.layer.{0..2}.attention.{q,k,v}_proj.{weight,bias}",
        "vision_tower.encoder.layer.{0..2}.attention.projection_layer.{weight,bias}",
        "multi_modal_projector.{layer_norm,linear_1,linear_2}.{weight,bias}",
    ),
    modules=(*PARTED, (r"^vision_tower\.", "model.vision_tower.")),
    prompt=(
        f"<|im_start|>user\n<img>{CROPS * 256 * '<IMG_CONTEXT>'}</img>\n{QUESTION}<|im_end|>\n"
        "<|im_start|>assistant\n"
    ),
    placeholder="<IMG_CONTEXT>",
    shards=1,
)
