"""Idefics3: its template and its tokenizer both begin a text, and crops are named in plain words.

Template, image processor, the placeholder's id and tokens a crop are confirmed, the rest is not.
"""

from __future__ import annotations

from tests.replicas.checkpoint import QUESTION, Checkpoint
from tests.replicas.checkpoints import smolvlm2_500m as smol
from tests.replicas.checkpoints.parts import added
from tests.replicas.tokens import Llama3

SPECIAL = {
    "<|begin_of_text|>": 128000,
    "<|end_of_text|>": 128001,
    "<|reserved_special_token_0|>": 128002,
    "<|start_header_id|>": 128006,
    "<|end_header_id|>": 128007,
    "<|eot_id|>": 128009,
    "<fake_token_around_image>": 128256,
    "<image>": 128257,
    "<end_of_utterance>": 128258,
}
TEMPLATE = (
    "<|begin_of_text|>{% for message in messages %}{{message['role'].capitalize()}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)

CHECKPOINT = Checkpoint(
    hub="HuggingFaceM4/Idefics3-8B-Llama3",
    config={
        "architectures": ["Idefics3ForConditionalGeneration"],
        "image_token_id": 128257,
        "model_type": "idefics3",
        "scale_factor": 2,
        "text_config": {
            "architectures": ["VLlama3ForCausalLM"],
            "bos_token_id": 128000,
            "eos_token_id": 128001,
            "hidden_size": 32,
            "intermediate_size": 64,
            "max_position_embeddings": 131072,
            "model_type": "llama",
            "num_attention_heads": 4,
            "num_hidden_layers": 4,
            "num_key_value_heads": 2,
            "pad_token_id": 128002,
            "rms_norm_eps": 1e-05,
            "rope_theta": 500000.0,
            "torch_dtype": "bfloat16",
            "use_cache": True,
            "vocab_size": 128259,
        },
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.45.0.dev0",
        "use_cache": True,
        "vision_config": {
            "hidden_size": 32,
            "image_size": 364,
            "intermediate_size": 64,
            "model_type": "idefics3",
            "num_attention_heads": 4,
            "num_hidden_layers": 3,
            "patch_size": 14,
            "tie_word_embeddings": False,
        },
        "vocab_size": 128259,
    },
    files={
        "chat_template.json": {"chat_template": TEMPLATE},
        "generation_config.json": {
            "bos_token_id": 128000,
            "eos_token_id": [128258, 128001],
            "pad_token_id": 128002,
            "bad_words_ids": [[128256], [128257]],
            "transformers_version": "4.45.0.dev0",
        },
        "preprocessor_config.json": {
            name: value for name, value in smol.IMAGES.items() if name != "video_sampling"
        }
        | {
            "image_processor_type": "Idefics3ImageProcessor",
            "max_image_size": {"longest_edge": 364},
            "processor_class": "Idefics3Processor",
            "size": {"longest_edge": 1456},
        },
        "processor_config.json": {"image_seq_len": 169, "processor_class": "Idefics3Processor"},
        "tokenizer_config.json": {
            "added_tokens_decoder": added(SPECIAL),
            "additional_special_tokens": [
                "<fake_token_around_image>",
                "<image>",
                "<end_of_utterance>",
            ],
            "bos_token": "<|begin_of_text|>",
            "clean_up_tokenization_spaces": True,
            "eos_token": "<|end_of_text|>",
            "model_input_names": ["input_ids", "attention_mask"],
            "model_max_length": 131072,
            "pad_token": "<|reserved_special_token_0|>",
            "processor_class": "Idefics3Processor",
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    },
    spelling=Llama3(SPECIAL),
    weights=smol.WEIGHTS,
    prompt=(
        # 1456 x 364 pixels.
        f"<|begin_of_text|>User:{smol.crops(169, rows=1, columns=4)}{QUESTION}"
        "<end_of_utterance>\nAssistant:"
    ),
    placeholder="<image>",
    shards=4,
)
