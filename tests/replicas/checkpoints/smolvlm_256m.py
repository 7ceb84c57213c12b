"""SmolVLM, saved by transformers 4.46, where it was an Idefics3 still."""

from __future__ import annotations

from tests.replicas.checkpoint import Checkpoint
from tests.replicas.checkpoints import smolvlm2_500m as smol
from tests.replicas.tokens import Smol

CHECKPOINT = Checkpoint(
    hub="HuggingFaceTB/SmolVLM-256M-Instruct",
    config=smol.CONFIG
    | {
        "architectures": ["Idefics3ForConditionalGeneration"],
        "model_type": "idefics3",
        "text_config": smol.TEXT
        | {
            "_flash_attn_2_enabled": True,
            # Of a part that this model has not; shortened.
            "perceiver_config": {"attention_dropout": 0.0, "model_type": "vllama3"},
            "transformers.js_config": {"kv_cache_dtype": {"fp16": "float16", "q4f16": "float16"}},
        },
        "torch_dtype": "bfloat16",
        "transformers_version": "4.46.0",
        # What releases of that time called the encoder's part.
        "vision_config": smol.VISION | {"model_type": "idefics3"},
    },
    files={
        "chat_template.json": {"chat_template": smol.TEMPLATE},
        "generation_config.json": smol.GENERATION | {"transformers_version": "4.46.0"},
        "preprocessor_config.json": {
            name: value for name, value in smol.IMAGES.items() if name != "video_sampling"
        }
        | {
            "image_processor_type": "Idefics3ImageProcessor",
            "processor_class": "Idefics3Processor",
        },
        "processor_config.json": {"image_seq_len": 64, "processor_class": "Idefics3Processor"},
        "tokenizer_config.json": {
            name: value for name, value in smol.TOKENIZER.items() if "_image_" not in name
        }
        | {"extra_special_tokens": {}, "processor_class": "Idefics3Processor"},
    },
    spelling=Smol(smol.SPECIAL),
    weights=smol.WEIGHTS,
    prompt=smol.PROMPT,
    placeholder="<image>",
    shards=1,
)
