"""`prune` and `observe`: the library's two context managers."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import torch

from pruneviz.errors import PruningError
from pruneviz.methods.base import POSITIONS, Method
from pruneviz.models.core.placing import check_one_device
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.models.registry import find_adapter
from pruneviz.pruning.answering import AnswerAttention
from pruneviz.pruning.checks import ELSEWHERE
from pruneviz.pruning.counting import FlopCounter
from pruneviz.pruning.hooks import attached
from pruneviz.pruning.host import host_of
from pruneviz.pruning.policy import Policy
from pruneviz.pruning.report import build_trace
from pruneviz.pruning.runner import Runner
from pruneviz.pruning.spec import RunSpec
from pruneviz.pruning.state import Prefill
from pruneviz.pruning.threads import owned
from pruneviz.pruning.visible import VisualTokens
from pruneviz.trace import Trace

NEWLINES = ("visual", "text")
NOT_RUN = "The model has not run inside this block, so there is no trace."
_ACTIVE: WeakSet[Any] = WeakSet()
_LOCK = threading.Lock()


class Run:
    """What happened inside a `prune` or `observe` block; still there after it."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._built: tuple[Prefill, list[Trace]] | None = None

    @property
    def traces(self) -> list[Trace]:
        """Traces of the latest prefill, one per row of its batch (beams repeat a sample).

        Raises
        ------
        PruningError
            If the model has not run inside the block, or scores are NaN or infinite.
        """
        spec, prefill = self._runner.spec, self._runner.prefill
        if prefill is None:
            raise PruningError(NOT_RUN)
        prefill.doubts.settle()
        if prefill.doubts.found is not None:
            raise prefill.doubts.found
        if self._built is None or self._built[0] is not prefill:
            traces = [build_trace(spec, prefill, row) for row in prefill.prompt.rows]
            self._built = (prefill, traces)
        return self._built[1]

    def let_several_follow(self) -> None:
        """Let several tokens at once follow the pruned prompt, in a batch without padding.

        For who scores a given answer in one forward. Words of a second turn would be taken for
        an answer, too: no method would see them, so `prune` alone refuses them.
        """
        self._runner.several = True

    @contextmanager
    def reading_attention(self, layerwise: bool = True) -> Iterator[AnswerAttention]:
        """Read what tokens that follow the prompt, batch 1, attend to among its visual tokens.

        Several in one forward need :meth:`let_several_follow`.

        Parameters
        ----------
        layerwise : bool
            Whether every layer is kept, and not their sum alone.

        Yields
        ------
        AnswerAttention
            Filled by the forward that runs in the block.

        Raises
        ------
        PruningError
            If the model has not run inside the `prune` or `observe` block.
        """
        spec, prefill = self._runner.spec, self._runner.prefill
        if prefill is None:
            raise PruningError(NOT_RUN)
        attention = AnswerAttention(spec.decoder, prefill, layerwise)
        with attention.reading():
            yield attention

    @property
    def scoring_seconds(self) -> float:
        """Time the latest prefill spent choosing tokens, as the host saw it."""
        prefill = self._runner.prefill
        return 0.0 if prefill is None else prefill.scoring_seconds

    @property
    def scoring_flops(self) -> int:
        """Floating-point operations that choosing took in the latest prefill, all rows together.

        Matrix products, two for each multiply-accumulate, and single operations; 0 where they
        were not to be counted.
        """
        counter = self._runner.spec.counter
        return 0 if counter is None else counter.total

    @property
    def trace(self) -> Trace:
        """Trace of the first row of the latest prefill."""
        return self.traces[0]


def check_reading(newlines: str, positions: str | None) -> None:
    """Raise ValueError unless both are what :func:`prune` knows."""
    if newlines not in NEWLINES:
        raise ValueError(f"newlines must be one of {', '.join(NEWLINES)}, not {newlines!r}.")
    if positions is not None and positions not in POSITIONS:
        raise ValueError(f"positions must be one of {', '.join(POSITIONS)}, not {positions!r}.")


@contextmanager
def prune(
    model: Any,
    method: Method,
    visual_mask: torch.Tensor | None = None,
    positions: str | None = None,
    *,
    input_ids: torch.Tensor | None = None,
    vision: EncoderRecord | Sequence[EncoderRecord] | None = None,
    record: Iterable[str] = (),
    newlines: str = "visual",
    count_flops: bool = False,
) -> Iterator[Run]:
    """Remove visual tokens for real while the block runs.

    Inside the block `model.generate(...)` (greedy, sampling, beams, streaming, left-padded
    batches) and a plain forward run with fewer tokens: shorter hidden states and a shorter KV
    cache after each pruning layer. The model is not modified; the hooks are gone after the
    block, also after an exception.

    Parameters
    ----------
    model
        A transformers model of a supported family.
    method : Method
        For example ``TransPrune.at(0.125, num_layers=32)``.
    visual_mask : torch.Tensor, optional
        Bool ``[batch, sequence]``, True at visual tokens. Default: where `input_ids` equals the
        model's image token. A language model fed ``inputs_embeds`` needs it.
    positions : {"renumber", "keep"}, optional
        Rebuild position ids without gaps after a drop, or keep the original ones. Default: the
        method's published choice.
    input_ids : torch.Tensor, optional
        Int64 ``[batch, sequence]``: ids of the prompt where the model is fed ``inputs_embeds``;
        lets methods find the question's words.
    vision : EncoderRecord or sequence of EncoderRecord, optional
        Record of the vision encoder where it ran before the block, of the layer that the method
        reads; one of each where it reads several.
    record : iterable of {"ttv", "iga", "residual"}
        Signals to record in every layer.
    newlines : {"visual", "text"}
        What the tokens are that end each row of tiles on LLaVA-NeXT and LLaVA-OneVision: visual
        tokens that count towards N and may be dropped, as in TransPrune's published code; or text,
        which always stays, is no part of the budget and of the trace's indices, and asks nothing
        of the image. Other families have none.
    count_flops : bool
        Whether to count the arithmetic of choosing tokens (`Run.scoring_flops`), which slows the
        choosing down.

    Yields
    ------
    Run
        Its `trace` tells what was dropped, where and why.

    Raises
    ------
    UnsupportedModelError
        If the model's family is not supported.
    ValueError
        If the method does not fit the model's depth or asks for an encoder layer that there is
        not, or `positions` or `newlines` is unknown.
    PruningError
        If the model is already inside a `prune` block, or `vision` is of another encoder layer
        than the method reads; and from within the block where a way of
        running cannot be pruned correctly (static cache, ``use_cache=False`` under `generate`,
        chunked prefill, assisted decoding, guidance, a second turn on a pruned cache, another
        thread): all of them stand in ``docs/limits.md``.

    Notes
    -----
    A pruned cache belongs to its block: going on with it after the block has ended is refused.
    So does the model belong to the thread that entered the block and to those started inside of
    it: for others it is refused until the block has ended.
    """
    if not isinstance(method, Method):
        raise TypeError(
            f"method must be a pruning method such as TransPrune(), not {method!r}; "
            "get_method(name) builds one by name."
        )
    check_reading(newlines, positions)
    adapter = find_adapter(model)
    decoder = adapter.decoder(model)
    spec = RunSpec(
        model=model,
        adapter=adapter,
        decoder=decoder,
        policy=Policy.pruning(method.on(host_of(model, adapter)), decoder, positions),
        visual=VisualTokens(model, adapter, visual_mask, newlines),
        signals=tuple(record),
        input_ids=input_ids,
        counter=FlopCounter() if count_flops else None,
        vision=(vision,) if isinstance(vision, EncoderRecord) else tuple(vision or ()),
    )
    with _entered(spec) as run:
        yield run


@contextmanager
def observe(
    model: Any,
    visual_mask: torch.Tensor | None = None,
    *,
    input_ids: torch.Tensor | None = None,
    record: Iterable[str] = ("ttv", "iga", "residual"),
    newlines: str = "visual",
) -> Iterator[Run]:
    """Record per-layer signals of an unpruned run; the outputs stay bit for bit the same.

    Parameters and errors as in :func:`prune`.

    Yields
    ------
    Run
        Its `trace` has no stages, but the recorded `signals`.
    """
    check_reading(newlines, None)
    adapter = find_adapter(model)
    spec = RunSpec(
        model=model,
        adapter=adapter,
        decoder=adapter.decoder(model),
        policy=Policy.observing(),
        visual=VisualTokens(model, adapter, visual_mask, newlines),
        signals=tuple(record),
        input_ids=input_ids,
    )
    with _entered(spec) as run:
        yield run


@contextmanager
def _entered(spec: RunSpec) -> Iterator[Run]:
    check_one_device(spec.model)
    stack = spec.decoder.module
    with _LOCK:
        if stack in _ACTIVE:
            raise PruningError(
                "This model is already being pruned or observed. Leave that block first; use "
                "Chain([...]) to combine two methods."
            )
        _ACTIVE.add(stack)
    try:
        with owned() as owner:
            runner = Runner(spec, owner)
            with attached(runner):
                yield Run(runner)
        if runner.prefill is not None:
            runner.prefill.doubts.settle()
    except ValueError as error:
        if "trust_remote_code" in str(error):  # generate asks for it before the model runs
            raise PruningError(ELSEWHERE) from error
        raise
    finally:
        with _LOCK:
            _ACTIVE.discard(stack)
