"""Methods that prune in several steps inside the LLM."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Self

from pruneviz.methods.base.checks import as_tuple, check_count, check_ratio
from pruneviz.methods.base.method import Method, Stage


@dataclass(frozen=True, kw_only=True)
class ScheduledMethod(Method):
    """Base of methods with pruning layers and one keep ratio per layer.

    Parameters
    ----------
    prune_layers : tuple of int, optional
        1-based decoder layers after which tokens are dropped, increasing.
        Default: the published ones.
    keep_ratios : tuple of float, optional
        Share of the original visual tokens left after each of them, never increasing.
        Default: the published ones, or those that reach `keep_ratio` in the same shape.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.
    """

    published_layers: ClassVar[tuple[int, ...]]
    published_ratios: ClassVar[tuple[float, ...]]
    published_depth: ClassVar[int] = 32

    prune_layers: tuple[int, ...] | None = None
    keep_ratios: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Fill in what was left out and check it."""
        layers = self.published_layers if self.prune_layers is None else self.prune_layers
        object.__setattr__(self, "prune_layers", self._check_layers(layers, "prune_layers"))
        object.__setattr__(self, "keep_ratios", self._fill_ratios())
        super().__post_init__()

    @property
    def layers(self) -> tuple[int, ...]:
        """The pruning layers."""
        return self.prune_layers or ()

    @property
    def ratios(self) -> tuple[float, ...]:
        """Keep ratio after each pruning layer."""
        return self.keep_ratios or ()

    @property
    def budget_ratio(self) -> float:
        """The keep ratio after the last stage."""
        return self.ratios[-1]

    @classmethod
    def at(cls, keep_ratio: float, num_layers: int, **settings: Any) -> Self:
        """Scale the published schedule to a final keep ratio and a depth.

        Parameters
        ----------
        keep_ratio : float
            Share of the visual tokens left after the last stage, in (0, 1]; 1 prunes nothing.
        num_layers : int
            Decoder layers of the model, at least 2.
        **settings
            Further fields of the method.

        Returns
        -------
        Method
            Stage ratio ``1 - (1 - keep_ratio) * w`` with the published schedule's weights w,
            rounded to 12 digits so that the published ratios come out exactly.
        """
        return cls.for_depth(num_layers, keep_ratio=keep_ratio, **settings)

    @classmethod
    def for_depth(cls, num_layers: int, **settings: Any) -> Self:
        """Build the method with its published layers scaled to `num_layers`."""
        if settings.get("prune_layers") is None:
            if not isinstance(num_layers, int) or num_layers < 2:
                raise ValueError(
                    f"{cls.title} prunes between decoder layers and needs at least 2 of them, "
                    f"not {num_layers!r}."
                )
            settings["prune_layers"] = cls.scaled_layers(num_layers)
        return cls(num_layers=num_layers, **settings)

    @classmethod
    def scaled_layers(cls, num_layers: int) -> tuple[int, ...]:
        """Published pruning layers in proportion to the depth, distinct and before the last.

        A model too shallow for all stages gets the last ones only.
        """
        published = cls.published_layers[-(num_layers - 1) :]
        layers: list[int] = []
        for left, layer in zip(range(len(published) - 1, -1, -1), published, strict=True):
            scaled = round(layer * num_layers / cls.published_depth)
            lowest = layers[-1] + 1 if layers else 1
            layers.append(min(max(scaled, lowest), num_layers - 1 - left))
        return tuple(layers)

    @classmethod
    def where(cls) -> str:
        """Where it prunes with its published settings, in words."""
        return f"{super().where()} of {cls.published_depth}, scaled to other depths"

    def stages(self) -> tuple[Stage, ...]:
        """One stage per pruning layer."""
        return tuple(Stage(layer, index) for index, layer in enumerate(self.layers))

    def count(self, stage: Stage, num_visual: int) -> int:
        """Visual tokens left after a stage: ``int(N * ratio)`` of the original number."""
        if self.keep_tokens is None:
            return self.share_of(num_visual, self.ratios[stage.index])
        final = check_count(self.keep_tokens, num_visual)
        weight = self._weights()[stage.index]
        return final if weight == 1.0 else int(num_visual - weight * (num_visual - final) + 1e-9)

    def _weights(self) -> tuple[float, ...]:
        lost = 1.0 - self.ratios[-1]
        if lost <= 0.0:
            return tuple(1.0 for _ in self.ratios)
        return tuple((1.0 - ratio) / lost for ratio in self.ratios)

    def _check_layers(self, layers: Any, what: str) -> tuple[int, ...]:
        values = as_tuple(layers, what)
        if not values or any(not isinstance(v, int) or v < 1 for v in values):
            raise ValueError(f"{what} must be whole numbers from 1 up, not {layers!r}.")
        if list(values) != sorted(set(values)):
            raise ValueError(f"{what} must increase, got {values}.")
        return values

    def _fill_ratios(self) -> tuple[float, ...]:
        if self.keep_ratios is None:
            return self._scaled_ratios()
        given = as_tuple(self.keep_ratios, "keep_ratios")
        ratios = tuple(check_ratio(r, "every keep ratio") for r in given)
        if len(ratios) != len(self.layers):
            raise ValueError(
                f"keep_ratios needs one value per pruning layer: got {len(ratios)} for "
                f"{len(self.layers)} layers."
            )
        if any(b > a for a, b in pairwise(ratios)):
            raise ValueError(f"keep_ratios must not increase, got {ratios}.")
        if self.keep_ratio is not None and abs(ratios[-1] - self.keep_ratio) > 1e-9:
            raise ValueError(
                f"keep_ratio {self.keep_ratio:g} and keep_ratios ending in {ratios[-1]:g} "
                "contradict each other; give one of them."
            )
        return ratios

    def _scaled_ratios(self) -> tuple[float, ...]:
        final = self.published_ratios[-1] if self.keep_ratio is None else self.keep_ratio
        check_ratio(final)
        stages = len(self.layers)
        if stages > len(self.published_ratios):
            raise ValueError(
                f"Give keep_ratios, one per pruning layer: {self.title} publishes "
                f"{len(self.published_ratios)} stages, not {stages}."
            )
        return self._ratios_to(final, stages)

    def _ratios_to(self, final: float, stages: int) -> tuple[float, ...]:
        """Keep ratios of that many stages, the last one `final`, in the published shape."""
        lost = 1.0 - self.published_ratios[-1]
        weights = [(1.0 - ratio) / lost for ratio in self.published_ratios[-stages:]]
        return tuple(round(1.0 - (1.0 - final) * weight, 12) for weight in weights)

    def _depth_advice(self, num_layers: int) -> str:
        if num_layers < 2:
            return super()._depth_advice(num_layers)
        fit = "/".join(map(str, self.scaled_layers(num_layers)))
        return (
            f"Use {type(self).__name__}.at(keep_ratio, num_layers={num_layers}), which prunes "
            f"after {fit}, or give prune_layers."
        )
