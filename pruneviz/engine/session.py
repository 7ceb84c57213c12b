"""One loaded model: encode the image once, run the baseline once, then each method."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image

from pruneviz.engine.generate import Generated, analyse, generate
from pruneviz.engine.images import ImageSource, read_image
from pruneviz.engine.results import Answer, Comparison, Event, Settings
from pruneviz.engine.streaming import stream
from pruneviz.errors import InputError
from pruneviz.geometry import PatchGrid
from pruneviz.methods.base import Method
from pruneviz.metrics import Fidelity, first_divergence, kl_divergence, mean_logprob
from pruneviz.models.core.loading import LoadedModel
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.pruning import check_reading

REMEMBERED = 8


@dataclass(frozen=True, eq=False)
class Prepared:
    """One image and question, encoded.

    Attributes
    ----------
    image : PIL.Image.Image
        Upright RGB original.
    question : str
        As asked.
    input_ids, visual_mask : torch.Tensor
        Prompt, ``[1, sequence]``.
    inputs : dict of str to Any
        What the model is fed: ``inputs_embeds`` ``[1, sequence, hidden]``, ``attention_mask``,
        and what else the family's :meth:`pruneviz.models.Adapter.embed` gives.
    vision : EncoderRecord or None
        For methods that read the encoder's attention.
    grid : PatchGrid
        Where each visual token lies.
    vision_seconds : float
        Time the encoding took.
    hints : tuple of str
        Why this model may not know the answer, if it can tell.
    newlines : str
        ``"text"`` where `grid` leaves out newlines; `visual_mask` marks them either way.
    positions : str or None
        Position mode of pruned runs; None = the method's own.
    """

    image: Image.Image
    question: str
    input_ids: torch.Tensor
    visual_mask: torch.Tensor
    inputs: dict[str, Any]
    vision: EncoderRecord | None
    grid: PatchGrid
    vision_seconds: float
    hints: tuple[str, ...] = ()
    newlines: str = "visual"
    positions: str | None = None


class Session:
    """Runs questions on one model, one at a time; safe to share between threads.

    Parameters
    ----------
    loaded : LoadedModel
        From :func:`pruneviz.load_model`.
    newlines : {"visual", "text"}
        See :func:`pruneviz.prune`.
    positions : {"renumber", "keep"}, optional
        Likewise.

    Raises
    ------
    ValueError
        If one of them is something else.

    Notes
    -----
    The last few prepared questions and their baselines are remembered, keyed by the image's
    pixels and the question, so that trying another method or ratio costs only that.
    """

    def __init__(
        self, loaded: LoadedModel, newlines: str = "visual", positions: str | None = None
    ) -> None:
        check_reading(newlines, positions)
        self.loaded, self.newlines, self.positions = loaded, newlines, positions
        self._lock = threading.RLock()
        self._prepared: OrderedDict[str, Prepared] = OrderedDict()
        self._records: OrderedDict[tuple[str, int], EncoderRecord | None] = OrderedDict()
        self._baselines: OrderedDict[tuple[str, Settings], tuple[Answer, Generated]] = OrderedDict()

    @property
    def num_layers(self) -> int:
        """Decoder layers of the model."""
        return self.loaded.num_layers

    def prepare(self, image: ImageSource, question: str) -> Prepared:
        """Encode an image and a question.

        Raises
        ------
        InputError
            If the image cannot be read, the question is empty or too long.
        """
        picture = read_image(image)
        asked = " ".join(question.split()) if isinstance(question, str) else ""
        if not asked:
            raise InputError("Type a question about the image.")
        key = _key(picture, asked)
        with self._lock:
            if key not in self._prepared:
                _remember(self._prepared, key, self._encode(picture, asked))
            return self._prepared[key]

    def baseline(self, prepared: Prepared, settings: Settings | None = None) -> Answer:
        """Answer without pruning."""
        with self._lock:
            return self._baseline(prepared, settings or Settings(), _ignore, threading.Event())[0]

    def compare(
        self, prepared: Prepared, method: Method, settings: Settings | None = None
    ) -> Comparison:
        """Answer with and without pruning.

        Raises
        ------
        ValueError
            If the method does not fit the model or leaves no token.
        """
        last: Comparison | None = None
        for event in self.ask(prepared, method, settings):
            last = event.comparison or last
        if last is None:
            raise RuntimeError("The run ended without a result.")
        return last

    def ask(
        self, prepared: Prepared, method: Method, settings: Settings | None = None
    ) -> Generator[Event]:
        """Answer with and without pruning, streamed.

        Yields events (see :class:`Event`); the last one is ``"done"``. Closing the generator
        stops the run.

        Raises
        ------
        ValueError
            If the method does not fit the model or leaves no token.
        """
        method.plan(self.num_layers)
        for stage in method.stages():
            method.count(stage, prepared.grid.num_tokens)
        self._encoder_index(method)
        how = settings or Settings()

        def work(emit: Callable[[Event], None], stop: threading.Event) -> None:
            with self._lock:
                if not stop.is_set():
                    self._run(prepared, method, how, emit, stop)

        return stream(work)

    def _run(
        self,
        prepared: Prepared,
        method: Method,
        settings: Settings,
        emit: Callable[[Event], None],
        stop: threading.Event,
    ) -> None:
        emit(Event("status", "Running the unpruned baseline …"))
        baseline, reference = self._baseline(
            prepared, settings, lambda text: emit(Event("baseline", text)), stop
        )
        emit(Event("baseline", baseline.text, answer=baseline))
        emit(Event("status", f"Running {method.title} …"))
        prepared = self.seen_for(prepared, method)
        made = generate(
            self.loaded, prepared, method, settings, lambda t: emit(Event("pruned", t)), stop
        )
        pruned, fidelity = made.answer, None
        if not (baseline.stopped or pruned.stopped):
            emit(Event("status", "Comparing with the baseline …"))
            trace, logits = analyse(
                self.loaded, prepared, method, list(baseline.token_ids), settings.signals
            )
            pruned = made.with_trace(trace)
            fidelity = _fidelity(baseline, reference, pruned, logits)
        done = Comparison(
            prepared.question, baseline, pruned, fidelity, prepared.grid, prepared.hints
        )
        emit(Event("done", comparison=done))

    def _baseline(
        self,
        prepared: Prepared,
        settings: Settings,
        on_text: Callable[[str], None],
        stop: threading.Event,
    ) -> tuple[Answer, Generated]:
        asked = _key(prepared.image, prepared.question)
        key = (asked, settings)
        # One with signals serves those who want none as well.
        richer = (asked, replace(settings, signals=True))
        if richer in self._baselines:
            key = richer
        if key not in self._baselines:
            made = generate(self.loaded, prepared, None, settings, on_text, stop)
            if made.answer.stopped:
                return made.answer, made
            trace, _ = analyse(self.loaded, prepared, None, [], settings.signals)
            _remember(self._baselines, key, (made.with_trace(trace), made))
        return self._baselines[key]

    def seen_for(self, prepared: Prepared, method: Method) -> Prepared:
        """The same question with the encoder layer on record that a method reads.

        If that is another than the one recorded the image is encoded again, and the record
        remembered.

        Raises
        ------
        ValueError
            If the encoder has no such layer.
        """
        index = self._encoder_index(method)
        seen = prepared.vision
        if index is None or seen is None or seen.encoder_index in (None, index):
            return prepared
        key = (_key(prepared.image, prepared.question), index)
        with self._lock:
            if key not in self._records:
                inputs = self._inputs(prepared.image, prepared.question)
                _remember(self._records, key, self._embed(inputs, index + 1)[1])
            return replace(prepared, vision=self._records[key])

    def _encoder_index(self, method: Method) -> int | None:
        """Index of the encoder layer that a method reads, None if it reads none."""
        if not method.needs.encoder:
            return None
        return self.loaded.adapter.encoder_index(self.loaded.model, method.needs.encoder_layer)

    def _inputs(self, image: Image.Image, question: str) -> Any:
        loaded = self.loaded
        return loaded.adapter.prepare(loaded.processor, loaded.model, image, question)

    def _embed(
        self, inputs: Any, encoder_layer: int | None = None
    ) -> tuple[dict[str, Any], EncoderRecord | None]:
        """What `embed` gives, and what one layer of the encoder left."""
        record: list[EncoderRecord] = []
        loaded = self.loaded
        handle = loaded.adapter.watch_vision(loaded.model, record.append, encoder_layer)
        try:
            encoded = loaded.adapter.embed(loaded.model, inputs)
        finally:
            handle.remove()
        return encoded, record[-1] if record else None

    def _encode(self, image: Image.Image, question: str) -> Prepared:
        loaded = self.loaded
        inputs = self._inputs(image, question)
        self._check_length(inputs["input_ids"].shape[1])
        start = time.perf_counter()
        encoded, record = self._embed(inputs)
        _synchronise(loaded.model.device)
        seconds = time.perf_counter() - start
        visual_mask = loaded.adapter.visual_mask(loaded.model, inputs["input_ids"])
        embeds, known = encoded["inputs_embeds"], loaded.knowledge
        grid = loaded.adapter.patch_grid(loaded.processor, loaded.model, image.size)
        leaves_out = self.newlines == "text" and loaded.adapter.newline(loaded.model) is not None
        return Prepared(
            image=image,
            question=question,
            input_ids=inputs["input_ids"],
            visual_mask=visual_mask,
            inputs=encoded,
            vision=record,
            grid=grid.without_placeless() if leaves_out else grid,
            vision_seconds=seconds,
            hints=known.hints(question, embeds[visual_mask]) if known else (),
            newlines="text" if leaves_out else "visual",
            positions=self.positions,
        )

    def _check_length(self, length: int) -> None:
        limit = self.loaded.adapter.decoder(self.loaded.model).config.max_position_embeddings
        if length >= limit:
            raise InputError(
                f"Image and question take {length} tokens, but the model reads at most {limit}. "
                "Shorten the question."
            )


def _fidelity(baseline: Answer, reference: Generated, pruned: Answer, logits: Any) -> Fidelity:
    apart = first_divergence(baseline.token_ids, pruned.token_ids)
    return Fidelity(
        exact_match=apart is None,
        first_divergence=apart,
        first_token_kl=kl_divergence(reference.logits[0], logits[0]),
        answer_logprob=mean_logprob(logits, baseline.token_ids),
        baseline_logprob=mean_logprob(reference.logits, baseline.token_ids),
    )


def _key(image: Image.Image, question: str) -> str:
    digest = hashlib.sha256(f"{image.size} {question}\n".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def _remember(store: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    store[key] = value
    while len(store) > REMEMBERED:
        store.popitem(last=False)


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _ignore(_: str) -> None:
    return None
