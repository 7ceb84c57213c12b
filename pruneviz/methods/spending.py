"""What a method spends, read from its settings before anything runs."""

from __future__ import annotations

from dataclasses import dataclass

from pruneviz.methods.base import MOST_LAYERS, Method, check_whole


@dataclass(frozen=True)
class Spending:
    """Visual tokens of one planned prefill, and the three ways to state them as a budget.

    Attributes
    ----------
    num_visual : int
        Visual tokens before any pruning.
    tokens_per_layer : tuple of int
        Visual tokens seen by each decoder layer.
    """

    num_visual: int
    tokens_per_layer: tuple[int, ...]

    @property
    def final_tokens(self) -> int:
        """Visual tokens left after the last stage."""
        return self.tokens_per_layer[-1]

    @property
    def final_keep_ratio(self) -> float:
        """The same as a share of all."""
        return self.final_tokens / self.num_visual

    @property
    def layer_average(self) -> float:
        """Visual tokens per decoder layer, averaged."""
        return sum(self.tokens_per_layer) / len(self.tokens_per_layer)

    @property
    def compute_share(self) -> float:
        """The layer average as a share of all: about the share of the decoder's work."""
        return self.layer_average / self.num_visual


def stage_counts(method: Method, num_visual: int) -> tuple[int, ...]:
    """Visual tokens left after each of the method's stages."""
    return tuple(method.total(stage, num_visual) for stage in method.stages())


def spending(method: Method, num_visual: int, num_layers: int) -> Spending:
    """What a method will spend on a model, without running it.

    Parameters
    ----------
    method : Method
        A chain or a pinned method too.
    num_visual, num_layers : int
        Visual tokens of the prompt, decoder layers of the model.

    Returns
    -------
    Spending
        The counts that the run will have. Only the picture tells those of FoPru's row strategy,
        which keeps whole rows (up to one row fewer), and of PruMerge and PruMerge+ without a
        budget, which keep what stands out: here stands what their default ratio would keep.

    Raises
    ------
    ValueError
        Where the method does not fit so many tokens or layers.
    """
    check_whole(num_visual, "num_visual", 1)
    check_whole(num_layers, "num_layers", 1, MOST_LAYERS)
    seen = [num_visual] * num_layers
    stages = method.plan(num_layers)
    for stage, count in zip(stages, stage_counts(method, num_visual), strict=True):
        # A stage after layer p leaves layer p its tokens; layer 0 is the LLM's input.
        seen[stage.layer :] = [count] * (num_layers - stage.layer)
    return Spending(num_visual, tuple(seen))
