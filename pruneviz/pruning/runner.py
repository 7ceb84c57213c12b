"""What happens when the model runs inside a block: which forward it is, and what follows."""

from __future__ import annotations

import threading
from typing import Any

import torch

from pruneviz.errors import PruningError
from pruneviz.models.core.deepstack import Deepstack
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.pruning import checks
from pruneviz.pruning.decode import DecodeStep
from pruneviz.pruning.inputs import DecoderInputs, expand_rows
from pruneviz.pruning.passes import Pass
from pruneviz.pruning.prefill import PrefillPass
from pruneviz.pruning.prompt import Prompt
from pruneviz.pruning.several import SeveralTokens
from pruneviz.pruning.spec import RunSpec
from pruneviz.pruning.state import Prefill
from pruneviz.pruning.threads import AT_ONCE, Owner, runs


class Runner:
    """One `prune` or `observe` block from entering it to leaving it.

    Attributes
    ----------
    spec : RunSpec
        What is to be done.
    owner : Owner
        Whose block it is.
    prefill : Prefill or None
        The latest one; None before the first.
    deepstack : Deepstack or None
        Features that the stack adds after its first layers, where tokens may go.
    several : bool
        Whether several tokens at once may follow a pruned prompt; False unless who runs the block
        sees to it that they are an answer's, and that nothing is padding.
    """

    def __init__(self, spec: RunSpec, owner: Owner) -> None:
        self.spec, self.owner = spec, owner
        self.prefill: Prefill | None = None
        self._running: Pass | None = None
        self._thread: int | None = None
        self.deepstack: Deepstack | None = None
        self.several = False
        self._ids: torch.Tensor | None = None
        self._model_counts = False
        self._unread: Prefill | None = None
        self._vision: list[EncoderRecord] = []

    @property
    def here(self) -> bool:
        """Whether the forward of the stack that is running is the running thread's."""
        return self._thread == threading.get_ident()

    @property
    def running(self) -> Pass | None:
        """That forward; None where the model needs no help, and to other threads."""
        return self._running if self.here else None

    @property
    def prefilling(self) -> PrefillPass | None:
        """The same where it is a prefill, whose layers are looked into."""
        running = self.running
        return running if isinstance(running, PrefillPass) else None

    def columns(self) -> torch.Tensor | None:
        """The prompt's columns that the layers to come still see, int64 ``[batch, n]``.

        None while that is all of them.
        """
        if self._thread is not None and not self.here:
            return None
        if self.prefill is None:
            raise PruningError("The language model's layers ran without the model around them.")
        frames = self.prefill.frames
        return frames.newest.columns if frames.pruned else None

    def done(self) -> None:
        """The stack has run: what came with the call of the model was for that alone."""
        if self.prefilling is not None and self.prefill is not None:
            self.prefill.mark()
        self.rest()
        self._ids, self._model_counts = None, False

    def rest(self) -> None:
        """Let go of the forward that has run."""
        self._running = self._thread = None

    def leave(self) -> None:
        """The block ends, or another prompt begins."""
        self.rest()
        if self.prefill is not None:
            self.prefill.retire()

    def on_model(self, kwargs: dict[str, Any]) -> None:
        """Refuse a call of the whole model that does not go with removing."""
        self.owner.check()
        if kwargs.get("labels") is not None and self.spec.policy.prunes:
            raise PruningError(
                "labels no longer line up with the logits once tokens are removed. Leave them out "
                "and compare the logits of the text tokens yourself."
            )

    def on_output(self, output: Any) -> None:
        """Note what a prefill says of the next token: NaN that no method saw shows there."""
        if not self.owner.here():
            return
        logits = getattr(output, "logits", None)
        prefill, self._unread = self._unread, None
        if prefill is not None and logits is not None:
            names = [f"the logits after the prompt, row {row}" for row in range(len(logits))]
            prefill.doubts.note(names, logits[:, -1])
            prefill.doubts.settle()

    def on_entry(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note what the module that sees ids together with the image is called with."""
        self.owner.check()
        self._ids = kwargs.get("input_ids", args[0] if args else None)
        # In a decode step the model then counts by its shortened cache.
        self._model_counts = kwargs.get("position_ids") is None

    def on_vision(self, record: EncoderRecord) -> None:
        """Note the vision encoder's run, unless it was for somebody else."""
        if self.owner.here():
            self._vision.append(record)

    def on_decoder(self, inputs: DecoderInputs) -> dict[str, Any] | None:
        """Keyword arguments in place of the decoder stack's own, None where those are right."""
        self._enter()
        if self.deepstack is not None:
            self.deepstack.begin(inputs.kwargs)
        self._unread = None
        if inputs.cache is None or inputs.cache.get_seq_length() == 0:
            running: Pass | None = self._begin(inputs)
        else:
            running = self._continue(inputs)
        self._running, self._thread = running, threading.get_ident()
        return None if running is None else running.stack_inputs(inputs)

    def _enter(self) -> None:
        """Make sure that no other thread is on its way through the stack with this block's help."""
        self.owner.check()
        other = self._thread
        if other is not None and not self.here and runs(self.spec.decoder.module, other):
            raise PruningError(AT_ONCE)
        self.rest()

    def _begin(self, inputs: DecoderInputs) -> PrefillPass:
        """Start a prefill."""
        spec = self.spec
        if spec.policy.prunes:
            several = spec.decoder.multimodal_rope
            checks.check_prefill(inputs.cache, inputs.mask, inputs.position_ids, several)
        ids = self._ids_of(inputs)
        if ids is None and spec.input_ids is not None:
            ids = expand_rows(spec.input_ids, inputs.batch, "input_ids")
        self.leave()
        vision, self._vision = spec.vision or self._vision, []
        if spec.counter is not None:
            spec.counter.clear()
        self.prefill = Prefill(Prompt.read(spec, inputs, ids, spec.by_layer(vision)), spec.model)
        self._unread = self.prefill
        return PrefillPass(spec, self.prefill, self.deepstack)

    def _continue(self, inputs: DecoderInputs) -> Pass | None:
        """Take a decode step; None where the model can take it alone."""
        if not self.spec.policy.prunes:
            return None
        prefill = self.prefill
        if prefill is None or not prefill.filled(inputs.cache):
            raise PruningError(
                "The cache was not filled by the last prefill inside this prune(). Start from an "
                "empty cache inside the `with` block."
            )
        prefill.doubts.settle()
        several = self.several and inputs.length > 1
        if not prefill.frames.pruned:
            if inputs.length > 1 and not several:
                self.spec.visual.refuse_late(self._ids_of(inputs))
            return None
        if not several:
            checks.check_continuation(inputs.length)
        given = inputs.position_ids is not None
        recounted = self._model_counts and given and self.spec.decoder.multimodal_rope
        step = SeveralTokens if several else DecodeStep
        return step(self.spec.decoder, prefill, inputs, recounted)

    def _ids_of(self, inputs: DecoderInputs) -> torch.Tensor | None:
        return self._ids if inputs.input_ids is None else inputs.input_ids
