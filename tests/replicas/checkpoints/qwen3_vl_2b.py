"""Qwen3-VL, saved by transformers 4.57: names of today, settings of two years ago."""

from __future__ import annotations

from tests.replicas.checkpoint import QUESTION, Checkpoint
from tests.replicas.checkpoints import qwen25_vl_3b as qwen
from tests.replicas.checkpoints.parts import BYTE, HALF, LLAMA, added, under
from tests.replicas.tokens import ByteLevel

SPECIAL = qwen.SPECIAL | {
    "<tool_call>": 151657,
    "</tool_call>": 151658,
    "<|fim_prefix|>": 151659,
    "<|fim_middle|>": 151660,
    "<|fim_suffix|>": 151661,
    "<|fim_pad|>": 151662,
    "<|repo_name|>": 151663,
    "<|file_sep|>": 151664,
    "<tool_response>": 151665,
    "</tool_response>": 151666,
    "<think>": 151667,
    "</think>": 151668,
}
# Without the branches for tools and for what tools and the assistant said.
TEMPLATE = """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].content is string %}
        {{- messages[0].content }}
    {%- else %}
        {%- for content in messages[0].content %}
            {%- if 'text' in content %}
                {{- content.text }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endif %}
{%- set image_count = namespace(value=0) %}
{%- set video_count = namespace(value=0) %}
{%- for message in messages %}
    {%- if message.role == "user" %}
        {{- '<|im_start|>' + message.role + '\\n' }}
        {%- if message.content is string %}
            {{- message.content }}
        {%- else %}
            {%- for content in message.content %}
                {%- if content.type == 'image' or 'image' in content or 'image_url' in content %}
                    {%- set image_count.value = image_count.value + 1 %}
                    {%- if add_vision_id %}Picture {{ image_count.value }}: {% endif -%}
                    <|vision_start|><|image_pad|><|vision_end|>
                {%- elif content.type == 'video' or 'video' in content %}
                    {%- set video_count.value = video_count.value + 1 %}
                    {%- if add_vision_id %}Video {{ video_count.value }}: {% endif -%}
                    <|vision_start|><|video_pad|><|vision_end|>
                {%- elif 'text' in content %}
                    {{- content.text }}
                {%- endif %}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
IMAGES = {
    "size": {"longest_edge": 16777216, "shortest_edge": 65536},
    "patch_size": 16,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "processor_class": "Qwen3VLProcessor",
    **HALF,
}

CHECKPOINT = Checkpoint(
    hub="Qwen/Qwen3-VL-2B-Instruct",
    config={
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "image_token_id": 151655,
        "model_type": "qwen3_vl",
        "text_config": {
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": 151643,
            "dtype": "bfloat16",
            "eos_token_id": 151645,
            "head_dim": 16,
            "hidden_act": "silu",
            "hidden_size": 32,
            "initializer_range": 0.02,
            "intermediate_size": 64,
            "max_position_embeddings": 262144,
            "model_type": "qwen3_vl_text",
            "num_attention_heads": 4,
            "num_hidden_layers": 4,
            "num_key_value_heads": 2,
            "rms_norm_eps": 1e-06,
            # [24, 20, 20] for heads of 128.
            "rope_scaling": {
                "mrope_interleaved": True,
                "mrope_section": [4, 2, 2],
                "rope_type": "default",
            },
            "rope_theta": 5000000,
            "tie_word_embeddings": True,
            "use_cache": True,
            "vocab_size": 151936,
        },
        "tie_word_embeddings": True,
        "transformers_version": "4.57.0.dev0",
        "video_token_id": 151656,
        "vision_config": {
            # [5, 11, 17] of 24.
            "deepstack_visual_indexes": [0, 1, 2],
            "depth": 4,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": 32,
            "in_channels": 3,
            "initializer_range": 0.02,
            "intermediate_size": 64,
            "model_type": "qwen3_vl",
            "num_heads": 2,
            "num_position_embeddings": 2304,
            "out_hidden_size": 32,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        "vision_end_token_id": 151653,
        "vision_start_token_id": 151652,
    },
    files={
        "chat_template.json": {"chat_template": TEMPLATE},
        # The values for sampling are not confirmed.
        "generation_config.json": qwen.SAMPLING
        | {
            "repetition_penalty": 1.0,
            "temperature": 0.7,
            "top_k": 20,
            "top_p": 0.8,
            "transformers_version": "4.56.0",
        },
        "preprocessor_config.json": IMAGES | {"image_processor_type": "Qwen2VLImageProcessorFast"},
        "tokenizer_config.json": qwen.TOKENIZER
        | {
            "add_bos_token": False,
            "added_tokens_decoder": added(SPECIAL),
            "chat_template": TEMPLATE,
            "model_max_length": 262144,
        },
        "video_preprocessor_config.json": IMAGES
        | {
            "rescale_factor": BYTE,
            "size": {"longest_edge": 25165824, "shortest_edge": 4096},
            "video_processor_type": "Qwen3VLVideoProcessor",
        },
    },
    spelling=ByteLevel(SPECIAL),
    weights=(
        *under("model.language_model.", LLAMA),
        "model.language_model.layers.{0..3}.self_attn.{q,k}_norm.weight",
        "model.visual.patch_embed.proj.{weight,bias}",
        "model.visual.pos_embed.weight",
        "model.visual.blocks.{0..3}.attn.{qkv,proj}.{weight,bias}",
        "model.visual.blocks.{0..3}.mlp.linear_fc{1,2}.{weight,bias}",
        "model.visual.blocks.{0..3}.norm{1,2}.{weight,bias}",
        "model.visual.merger.{norm,linear_fc1,linear_fc2}.{weight,bias}",
        "model.visual.deepstack_merger_list.{0..2}.{norm,linear_fc1,linear_fc2}.{weight,bias}",
    ),
    prompt=(
        "<|im_start|>user\n"
        # 512 x 128 pixels, 32 x 32 a token.
        f"<|vision_start|>{16 * 4 * '<|image_pad|>'}<|vision_end|>{QUESTION}<|im_end|>\n"
        "<|im_start|>assistant\n"
    ),
    placeholder="<|image_pad|>",
    tied=True,
    shards=1,
)
