"""LLaVA-NeXT with Vicuna, saved by transformers 4.39."""

from __future__ import annotations

import torch

from tests.replicas.checkpoint import QUESTION, Checkpoint
from tests.replicas.checkpoints import llava_15_7b as llava
from tests.replicas.checkpoints import llava_16_mistral_7b as llava_next
from tests.replicas.tokens import Llama

# Not confirmed to the letter. For a question it gives what the model's page prints, but for
# Vicuna's opening sentence, which is a system message.
TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ message['content'][0]['text'] + ' ' }}{% else %}{{ message['role'].upper() + ': '}}"
    "{% endif %}{# Render all images first #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\n' }}{% endfor %}{# Render all text next #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ content['text'] + ' '}}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)

CHECKPOINT = Checkpoint(
    hub="llava-hf/llava-v1.6-vicuna-7b-hf",
    # The padding token of the language model could not be confirmed.
    config=llava_next.CONFIG | {"text_config": llava.VICUNA | {"pad_token_id": 0}},
    files=llava_next.FILES | {"chat_template.json": {"chat_template": TEMPLATE}},
    spelling=Llama(llava.SPECIAL),
    weights=(*llava.WEIGHTS, "image_newline"),
    modules=llava.PARTED,
    prompt=f"<s>USER: {llava_next.TOKENS * '<image>'}\n{QUESTION} ASSISTANT:",
    placeholder="<image>",
    dtype=torch.float16,
    shards=3,
)
