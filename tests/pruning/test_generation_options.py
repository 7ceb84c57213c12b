"""Every setting that `generate` knows: right under pruning, or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    CompileConfig,
    DynamicCache,
    GenerationConfig,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    WatermarkingConfig,
)
from transformers.cache_utils import Cache, QuantizedLayer

from pruneviz import prune
from pruneviz.errors import PruningError
from tests.helpers import (
    LAYERS,
    alive_columns,
    close,
    masked_run,
    new_tokens,
    own_hooks,
    prompt,
    tiny,
    with_generated,
)
from tests.pruning.settings import METHODS
from tests.pruning.test_generate import toy_tokenizer

KIND, NEW = "llava_clip", 5
NAMES = ("transprune", "fopru")


def own_loop(
    model: Any,
    input_ids: Any,
    logits_processor: Any,
    stopping_criteria: Any,
    generation_config: Any,
    **given: Any,
) -> Any:
    return model._sample(input_ids, logits_processor, stopping_criteria, generation_config, **given)


SAMPLED = {"do_sample": True}
RIGHT: dict[str, dict[str, Any]] = {
    "greedy": {},
    "max_length": {"max_length": 80, "max_new_tokens": None},
    "max_new_tokens": {"max_new_tokens": 3},
    "min_length": {"min_length": 43},
    "min_new_tokens": {"min_new_tokens": 3, "eos_token_id": 17},
    "max_time": {"max_time": 100.0},
    "do_sample": SAMPLED,
    "num_return_sequences": {**SAMPLED, "num_return_sequences": 2},
    "temperature, top_k, top_p, min_p": {
        **SAMPLED,
        "temperature": 0.5,
        "top_k": 9,
        "top_p": 0.9,
        "min_p": 0.01,
    },
    "top_h": {**SAMPLED, "top_h": 0.4},
    "typical_p, epsilon_cutoff": {**SAMPLED, "typical_p": 0.5, "epsilon_cutoff": 1e-3},
    "eta_cutoff": {**SAMPLED, "eta_cutoff": 1e-3},
    "repetition_penalty": {"repetition_penalty": 1.5},
    "encoder_repetition_penalty": {"encoder_repetition_penalty": 1.5},
    "no_repeat_ngram_size": {"no_repeat_ngram_size": 2},
    "encoder_no_repeat_ngram_size": {"encoder_no_repeat_ngram_size": 2},
    "bad_words_ids": {"bad_words_ids": [[17]]},
    "sequence_bias": {"sequence_bias": [[[9], 5.0]]},
    "suppress_tokens": {"suppress_tokens": [17]},
    "begin_suppress_tokens": {"begin_suppress_tokens": [8]},
    "forced_bos_token_id": {"forced_bos_token_id": 9},
    "forced_eos_token_id": {"forced_eos_token_id": 9},
    "exponential_decay_length_penalty": {
        "exponential_decay_length_penalty": (2, 1.1),
        "eos_token_id": 90,
    },
    "renormalize_logits": {**SAMPLED, "renormalize_logits": True},
    "remove_invalid_values": {"remove_invalid_values": True},
    "watermarking_config": {**SAMPLED, "watermarking_config": WatermarkingConfig()},
    "guidance_scale of 1": {"guidance_scale": 1.0},
    "output_scores and hidden states": {"output_scores": True, "output_hidden_states": True},
    "cache_implementation dynamic": {"cache_implementation": "dynamic"},
    "max_cache_len, cache_config": {"max_cache_len": 99, "cache_config": {"nbits": 4}},
    "compile_config, disable_compile": {"compile_config": CompileConfig(), "disable_compile": True},
    "custom_generate, a function": {"custom_generate": own_loop},
    "prefix_allowed_tokens_fn": {"prefix_allowed_tokens_fn": lambda _, ids: list(range(8, 60))},
    "logits_processor": {"logits_processor": LogitsProcessorList([TemperatureLogitsWarper(2.0)])},
    "generation_config": {"generation_config": GenerationConfig(top_k=3, do_sample=True)},
    "settings of an assistant, without one": {
        "num_assistant_tokens": 3,
        "num_assistant_tokens_schedule": "constant",
        "assistant_confidence_threshold": 0.3,
        "assistant_lookbehind": 3,
        "target_lookbehind": 3,
        "assistant_ensemble_weight": 0.5,
        "max_matching_ngram_size": 2,
        "speculation_type": "dflash",
        "is_assistant": False,
    },
    "settings of other modes, without those": {"low_memory": True, "diversity_penalty": 0.0},
    "synced_gpus": {"synced_gpus": False},
}
BEAMS: dict[str, dict[str, Any]] = {
    "num_beams": {"num_beams": 3},
    "early_stopping, length_penalty": {
        "num_beams": 2,
        "early_stopping": True,
        "length_penalty": 0.3,
    },
    "beams and samples": {"num_beams": 2, **SAMPLED, "top_k": 0},
    "several of the beams": {"num_beams": 3, "num_return_sequences": 2},
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "use_cache": ({"use_cache": False}, "use_cache"),
    "prefill_chunk_size": ({"prefill_chunk_size": 8}, "prefill_chunk_size"),
    "static": ({"cache_implementation": "static"}, "DynamicCache"),
    "offloaded_static": ({"cache_implementation": "offloaded_static"}, "DynamicCache"),
    "paged": ({"cache_implementation": "paged"}, "Continuous batching"),
    "prompt_lookup_num_tokens": ({"prompt_lookup_num_tokens": 3}, "prompt_lookup_num_tokens"),
    "guidance_scale": ({"guidance_scale": 1.5}, "guidance_scale"),
    "negative_prompt_ids": (
        {"guidance_scale": 2.0, "negative_prompt_ids": torch.tensor([[9, 9]])},
        "guidance_scale",
    ),
    "in a generation_config": (
        {"generation_config": GenerationConfig(guidance_scale=2.0)},
        "guidance_scale",
    ),
    "penalty_alpha": ({"penalty_alpha": 0.6, "top_k": 4}, "penalty_alpha"),
    "dola_layers": ({"dola_layers": "low"}, "dola_layers"),
    "num_beam_groups": (
        {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
        "num_beam_groups",
    ),
    "force_words_ids": ({"num_beams": 3, "force_words_ids": [[9]]}, "force_words_ids"),
}
BY_THE_MODEL = {
    "assistant_early_exit",
    "use_mtp",
    "stop_strings",
    "token_healing",
    "constraints",
    "continuous_batching_config",
    "decoder_start_token_id",
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
    "output_attentions",
    "output_logits",
    "return_dict_in_generate",
    "transformers_version",
}
"""What is tried elsewhere, needs what no tiny model has, or changes no run of the model."""


def generated(name: str, settings: dict[str, Any]) -> Any:
    """What comes out, and the run, of three seeds alike."""
    torch.manual_seed(3)
    always = {
        "max_new_tokens": NEW,
        "do_sample": False,
        "return_dict_in_generate": True,
        "output_logits": True,
    }
    with prune(tiny(KIND), METHODS[name], positions="renumber") as run:
        out = tiny(KIND).generate(**prompt(KIND).inputs, **(always | settings))
    return out, run


def masked_logits(trace: Any, ids: torch.Tensor) -> torch.Tensor:
    """What the masked model, in which nothing was removed, says of ``[t]`` ids: ``[t, words]``."""
    model, case = tiny(KIND), prompt(KIND)
    alive = alive_columns(case.visual[0], trace, LAYERS)
    embeds = with_generated(model, case.embeds, ids)
    return masked_run(model, embeds, alive, True)[case.visual.shape[1] - 1 : -1]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", RIGHT)
def test_every_token_is_read_from_the_masked_models_logits(what: str, name: str) -> None:
    try:
        out, run = generated(name, RIGHT[what])
    except ValueError as error:
        if "are not used by the model" not in str(error):
            raise
        pytest.skip("This release of transformers has no such setting.")
    for row, ids in enumerate(new_tokens(prompt(KIND).inputs, out.sequences)):
        wanted = masked_logits(run.trace, ids)
        assert close(torch.stack(out.logits, dim=1)[row], wanted), what
    assert not own_hooks(tiny(KIND))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", BEAMS)
def test_every_beam_scores_what_the_masked_model_would(what: str, name: str) -> None:
    settings = BEAMS[what] | {"output_scores": True, "renormalize_logits": True}
    out, run = generated(name, settings)
    power = settings.get("length_penalty", 1.0)
    for row, ids in enumerate(new_tokens(prompt(KIND).inputs, out.sequences)):
        found = masked_logits(run.trace, ids).log_softmax(-1).gather(1, ids[:, None]).sum()
        assert close(out.sequences_scores[row], found / len(ids) ** power, 1e-3), what


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", REFUSED)
def test_the_others_are_refused_by_name(what: str, name: str) -> None:
    settings, named = REFUSED[what]
    before = generated(name, {})[0].sequences
    tiny(KIND).__dict__.pop("_cache", None)
    with pytest.raises(PruningError, match=named) as error:
        generated(name, settings)
    assert "trust_remote_code" not in str(error.value)
    assert not own_hooks(tiny(KIND))
    assert "generate_batch" not in vars(tiny(KIND))
    assert torch.equal(generated(name, {})[0].sequences, before)


@pytest.mark.parametrize("trusted", [True, False])
def test_code_from_elsewhere_is_refused(tmp_path: Path, trusted: bool) -> None:
    """Also where its user trusts it, and it does what `generate` does."""
    folder = tmp_path / "custom_generate"
    folder.mkdir()
    text = "def generate(model, **given):\n    return model.generate(**given)\n"
    (folder / "generate.py").write_text(text)
    with pytest.raises((PruningError, OSError, ValueError)) as error:
        generated("transprune", {"custom_generate": str(tmp_path), "trust_remote_code": trusted})
    if isinstance(error.value, PruningError):
        assert "custom_generate" in str(error.value)


def test_healing_is_refused() -> None:
    tokenizer = toy_tokenizer()
    tokenizer.pad_token = "w1"  # noqa: S105
    tokenizer.bos_token = "w2"  # noqa: S105
    tokenizer.eos_token = "w3"  # noqa: S105
    with pytest.raises(PruningError, match="token_healing"):
        generated("transprune", {"token_healing": True, "tokenizer": tokenizer})


def test_batches_of_pages_are_refused() -> None:
    model = tiny(KIND)
    if not hasattr(model, "generate_batch"):
        pytest.skip("This release of transformers has none.")
    for call in (model.generate_batch, model.init_continuous_batching):
        name = call.__name__
        with pytest.raises(PruningError, match="Continuous"), prune(model, METHODS["random"]):
            getattr(model, name)([[8, 9, 10]])
    assert model.generate_batch.__func__ is type(model).generate_batch


class Rounded(QuantizedLayer):
    """Holds older tokens in another form, which here loses nothing."""

    def __init__(self) -> None:
        super().__init__(nbits=4, axis_key=0, axis_value=0, q_group_size=8, residual_length=4)

    def _quantize(self, tensor: torch.Tensor, axis: int) -> Any:
        return (tensor.clone(),)

    def _dequantize(self, q_tensor: Any) -> torch.Tensor:
        return q_tensor[0]


@pytest.mark.parametrize("name", ["transprune", "random", "fastv"])
def test_quantised_caches_are_right(name: str) -> None:
    wanted = generated(name, {})[0]
    cache = Cache(layers=[Rounded() for _ in range(LAYERS)])
    out, _ = generated(name, {"past_key_values": cache})
    assert torch.equal(out.sequences, wanted.sequences)
    assert close(torch.stack(out.logits), torch.stack(wanted.logits))
    with pytest.raises(PruningError, match="whose block has ended"):
        tiny(KIND)(input_ids=torch.tensor([[9]]), past_key_values=cache)


def test_caches_that_move_to_the_host_are_refused() -> None:
    cache = DynamicCache()
    cache.offloading = True
    with pytest.raises(PruningError, match="offloaded"):
        generated("transprune", {"past_key_values": cache})


def test_no_setting_is_left_out() -> None:
    """What a release of transformers brings anew has to be tried before it is said to be right."""
    tried = set(BY_THE_MODEL)
    for settings in (*RIGHT.values(), *BEAMS.values(), *(given for given, _ in REFUSED.values())):
        tried |= settings.keys()
    known = {name for name in vars(GenerationConfig()) if not name.startswith("_")}
    assert known <= tried, known - tried
