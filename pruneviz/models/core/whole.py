"""Whether what was loaded is a whole model: each weight from its file, files that fit together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from PIL import Image

from pruneviz.errors import ModelLoadError
from pruneviz.models.core.adapter import Adapter
from pruneviz.models.core.placing import out_of_memory, too_large
from pruneviz.models.core.reading import told_as

SHOWN = 10
"""Names of weights that an error lists before it only counts them."""
SIZE = (96, 64)
QUESTIONS = ("is", "is it is")
"""Of different length in any tokenizer."""

COUNTED = (".position_ids", ".rotary_emb.inv_freq")
"""Ends of entries that older releases saved and every one computes; not each knows of all."""
_TOKENS: tuple[tuple[type, ...], str] = ((int,), "token ids")
_SWITCH: tuple[tuple[type, ...], str] = ((bool,), "true or false")
_NUMBER: tuple[tuple[type, ...], str] = ((int, float), "a number")
SETTINGS = {
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), _TOKENS),
    **dict.fromkeys(("do_sample", "use_cache"), _SWITCH),
    **dict.fromkeys(("output_attentions", "output_hidden_states", "output_logits"), _SWITCH),
    **dict.fromkeys(("temperature", "top_k", "top_p", "repetition_penalty"), _NUMBER),
}
"""What of a model's own settings a greedy answer reads, and what it has to be."""


def check_keys(name: str, report: Mapping[str, Any]) -> None:
    """Refuse a model that would answer with some of its weights at random, or without others.

    Parameters
    ----------
    name : str
        The model's.
    report : mapping
        What ``from_pretrained(output_loading_info=True)`` tells, which knows of ties and of names
        that have changed.

    Raises
    ------
    ModelLoadError
        If a weight is missing, has another shape, cannot be converted, or has no place.
    """
    other = {
        f"{key} is {list(found)} instead of {list(wanted)}"
        for key, found, wanted in report.get("mismatched_keys") or ()
    }
    reshaped = {key for key, *_ in report.get("mismatched_keys") or ()}
    wrong = (
        ("lack weights that the model has", set(report["missing_keys"]) - reshaped),
        (
            "hold weights that the model has no place for",
            [key for key in report.get("unexpected_keys") or () if not key.endswith(COUNTED)],
        ),
        ("hold weights of another shape", other),
        ("could not be read in part", report.get("error_msgs") or ()),
    )
    found = [f"{what} ({_listed(keys)})" for what, keys in wrong if keys]
    if found:
        raise ModelLoadError(
            f"Could not load {name!r}: its files {'; '.join(found)}. Give a complete copy whose "
            "config.json is of the same model; if only the head (lm_head) is missing because it is "
            "the embedding, config.json must say so with tie_word_embeddings."
        )


def _listed(keys: Iterable[Any]) -> str:
    names = sorted(str(key) for key in keys)
    more = f" and {len(names) - SHOWN} others" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def bad_weight(model: Any) -> str | None:
    """Name of the first weight that holds NaN or infinity, None where none does."""
    return next((name for name, values in model.named_parameters() if not _finite(values)), None)


def _finite(values: torch.Tensor) -> bool:
    if not values.is_floating_point() or values.is_meta or not values.numel():
        return True
    # The sum of the extremes tells of both NaN and infinity, and makes no copy of the weight.
    wide = values.float() if values.dtype.itemsize == 1 else values
    low, high = torch.aminmax(wide.detach())
    return bool(torch.isfinite(low.double() + high.double()))


def check_finite(name: str, model: Any) -> None:
    """Refuse weights that are NaN or infinite.

    Raises
    ------
    ModelLoadError
        If one is; the message names it.
    """
    weight = bad_weight(model)
    if weight is not None:
        dtype = str(model.get_parameter(weight).dtype).removeprefix("torch.")
        raise ModelLoadError(
            f"Could not load {name!r}: its weight {weight!r} holds NaN or infinity. Its file is "
            f"damaged, unless the values are too large for {dtype}: then take dtype='float32'."
        )


def check_together(name: str, model: Any, processor: Any, adapter: Adapter) -> None:
    """Refuse a processor that does not do for the model, before a question is asked in vain.

    Two questions about a blank picture are put into prompts, and the encoder sees it.

    Raises
    ------
    ModelLoadError
        If that fails, or tokens and picture are not what the model expects.
    """
    blank = Image.new("RGB", SIZE)

    def failure(text: str, error: Exception) -> ModelLoadError:
        if out_of_memory(error):
            return too_large(name, model.device)
        return _apart(name, f"a picture and a question cannot be prepared ({text})")

    with told_as(failure):
        prompts = [adapter.prepare(processor, model, blank, asked) for asked in QUESTIONS]
        places = adapter.patch_grid(processor, model, SIZE).num_tokens
        ids = prompts[1]["input_ids"]
        visual = int(adapter.visual_mask(model, ids).sum())
    known = model.get_input_embeddings().weight.shape[0]
    if not 0 <= int(ids.min()) <= int(ids.max()) < known:
        raise _apart(name, f"the tokenizer has tokens beyond the model's {known}")
    if prompts[0]["input_ids"].shape == ids.shape:
        raise _apart(name, "the chat template leaves the question out")
    if visual != places:
        raise _apart(name, f"a prompt has {visual} places for the {places} tokens of a picture")
    with told_as(failure):
        adapter.embed(model, prompts[1])


def _apart(name: str, why: str) -> ModelLoadError:
    return ModelLoadError(
        f"Could not load {name!r}: its tokenizer, chat template, picture settings and weights do "
        f"not belong together: {why}. Get config.json, the tokenizer's and the processor's files "
        "again, all from one place."
    )


def check_generation(name: str, settings: Any) -> None:
    """Refuse settings of ``generation_config.json`` of another kind than `generate` takes.

    Raises
    ------
    ModelLoadError
        If one is; the message names it.
    """
    for entry, (kinds, what) in SETTINGS.items():
        value = getattr(settings, entry, None)
        if value is not None and not all(isinstance(v, kinds) for v in _each(value)):
            raise ModelLoadError(
                f"Could not load {name!r}: in its generation_config.json {entry} must be {what}, "
                f"not {value!r}."
            )


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
