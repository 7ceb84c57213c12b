"""One loaded model: encode the image once, run the baseline once, then each method."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from pruneviz.engine.generate import Generated, analyse, generate
from pruneviz.engine.images import ImageSource, picture_key, read_image
from pruneviz.engine.prepared import Prepared, encode, encoder_record
from pruneviz.engine.results import Answer, Comparison, Event, Settings
from pruneviz.engine.streaming import stream
from pruneviz.errors import InputError
from pruneviz.methods.base import Method
from pruneviz.models.core.loading import LoadedModel
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.pruning import check_reading, host_of

REMEMBERED = 8

K = TypeVar("K")
V = TypeVar("V")


class Recent(OrderedDict[K, V]):
    """A dictionary of the last few entries."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        while len(self) > REMEMBERED:
            self.popitem(last=False)


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
        # By picture and question.
        self._prepared: Recent[tuple[str, str], Prepared] = Recent()
        self._records: Recent[tuple[tuple[str, str], int], EncoderRecord | None] = Recent()
        self._baselines: Recent[tuple[tuple[str, str], Settings], Generated] = Recent()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let every other run on this model wait while the block runs."""
        with self._lock:
            yield

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
        upright = read_image(image)
        asked = " ".join(question.split()) if isinstance(question, str) else ""
        if not asked:
            raise InputError("Type a question about the image.")
        key = picture_key(upright), asked
        with self._lock:
            if key not in self._prepared:
                self._prepared[key] = encode(
                    self.loaded, upright, *key, self.newlines, self.positions
                )
            return self._prepared[key]

    def seen_for(self, prepared: Prepared, method: Method) -> Prepared:
        """The same question with the encoder layer on record that a method reads.

        If that is another than the one recorded the image is encoded again, and the record
        remembered.

        Raises
        ------
        ValueError
            If the encoder has no such layer.
        """
        indices = self._encoder_indices(method)
        if not indices or prepared.vision is None or prepared.vision.encoder_index is None:
            return prepared
        first, *further = (self._record(prepared, index) for index in indices)
        return replace(prepared, vision=first, further=tuple(filter(None, further)))

    def _record(self, prepared: Prepared, index: int) -> EncoderRecord | None:
        seen, key = prepared.vision, (prepared.key, index)
        if seen is not None and seen.encoder_index == index:
            return seen
        with self._lock:
            if key not in self._records:
                self._records[key] = encoder_record(self.loaded, prepared, index)
            return self._records[key]

    def resolved(self, method: Method) -> Method:
        """The method with what it leaves to the model filled in, as a run will report it."""
        return method.on(host_of(self.loaded.model, self.loaded.adapter))

    def baseline(self, prepared: Prepared, settings: Settings | None = None) -> Answer:
        """Answer without pruning."""
        with self._lock:
            how = settings or Settings()
            return self._baseline(prepared, how, lambda _: None, threading.Event()).answer

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
        self._encoder_indices(method)
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
        reference = self._baseline(prepared, settings, lambda t: emit(Event("baseline", t)), stop)
        baseline = reference.answer
        emit(Event("baseline", baseline.text, answer=baseline))
        emit(Event("status", f"Running {method.title} …"))
        prepared = self.seen_for(prepared, method)
        made = generate(
            self.loaded, prepared, method, settings, lambda t: emit(Event("pruned", t)), stop
        )
        fidelity = None
        if not (baseline.stopped or made.answer.stopped):
            emit(Event("status", "Comparing with the baseline …"))
            found = analyse(self.loaded, prepared, method, baseline.token_ids, settings.signals)
            made = made.looked_into(found)
            fidelity = reference.fidelity(made.answer.token_ids, found.logits)
        done = Comparison(
            prepared.question, baseline, made.answer, fidelity, prepared.grid, prepared.hints
        )
        emit(Event("done", comparison=done))

    def _baseline(
        self,
        prepared: Prepared,
        settings: Settings,
        on_text: Callable[[str], None],
        stop: threading.Event,
    ) -> Generated:
        key = prepared.key, settings
        # One with signals serves those who want none as well.
        richer = prepared.key, replace(settings, signals=True)
        if richer in self._baselines:
            key = richer
        if key not in self._baselines:
            made = generate(self.loaded, prepared, None, settings, on_text, stop)
            if made.answer.stopped:
                return made
            found = analyse(self.loaded, prepared, None, (), settings.signals)
            self._baselines[key] = made.looked_into(found)
        return self._baselines[key]

    def _encoder_indices(self, method: Method) -> list[int]:
        """Indices of the encoder layers that a method reads."""
        needs, loaded = self.resolved(method).needs, self.loaded
        asked = (needs.encoder_layer, *needs.further_layers) if needs.encoder else ()
        return [loaded.adapter.encoder_index(loaded.model, layer) for layer in asked]
