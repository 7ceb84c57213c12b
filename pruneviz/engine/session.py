"""One loaded model: encode the image once, run the baseline once, then each method."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pruneviz.engine.answers import Generated
from pruneviz.engine.images import ImageSource, picture_key, read_image
from pruneviz.engine.memory import Memory, default_limit
from pruneviz.engine.prepared import Prepared, encode, encoder_record, tidied
from pruneviz.engine.results import Answer, Comparison, Event, Settings
from pruneviz.engine.runs import reach_of, run_baseline, run_pruned
from pruneviz.engine.streaming import stream
from pruneviz.engine.turns import Turns
from pruneviz.errors import InputError
from pruneviz.methods.base import Method
from pruneviz.models.core.loading import LoadedModel
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.pruning import check_reading, host_of
from pruneviz.pruning.prefix import Prefix, Reach
from pruneviz.pruning.sharing import Sharing


class Session:
    """Runs questions on one model, one at a time; safe to share between threads.

    Who asks first is answered first; a long run lets others in between its parts.

    Parameters
    ----------
    loaded : LoadedModel
        From :func:`pruneviz.load_model`.
    newlines : {"visual", "text"}
        See :func:`pruneviz.prune`.
    positions : {"renumber", "keep"}, optional
        Likewise.
    memory_bytes : int, optional
        Bytes of tensors and pictures that may be remembered; 0 for nothing. Default: an eighth of
        the memory that is free on the model's device, but no more than a quarter of a GiB or,
        where those are more, than the model's weights.
    turns : Turns, optional
        Who runs next, where several sessions share a machine. Default: its own.

    Raises
    ------
    ValueError
        If one of them is something else.

    Notes
    -----
    Prepared questions, their baselines and what runs have in common with these are remembered,
    keyed by the image's pixels and the question, so that another question about an image does not
    encode it again, another method costs only what is its own, and another ratio only what comes
    after the first cut. Those unused for longest go when together they take more than
    `memory_bytes`.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        newlines: str = "visual",
        positions: str | None = None,
        memory_bytes: int | None = None,
        turns: Turns | None = None,
    ) -> None:
        check_reading(newlines, positions)
        self.loaded, self.newlines, self.positions = loaded, newlines, positions
        limit = memory_bytes
        if limit is None:
            limit = default_limit(loaded.model.device, loaded.model.get_memory_footprint())
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
            raise ValueError(f"memory_bytes must be a whole number from 0 on, not {limit!r}.")
        self.memory = Memory(limit)
        self.turns = turns or Turns()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let every other run on this model wait while the block runs."""
        with self.turns:
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
        asked = tidied(question) if isinstance(question, str) else ""
        if not asked:
            raise InputError("Type a question about the image.")
        if any("\ud800" <= letter <= "\udfff" for letter in asked):
            raise InputError("The question holds the half of a character. Type it anew.")
        key = picture_key(upright), asked
        with self.turns:
            found: Prepared | None = self.memory.get(("question", key))
            if found is None:
                before: Prepared | None = self.memory.latest(
                    lambda held: held[0] == "question" and held[1][0] == key[0]
                )
                reading = self.newlines, self.positions
                found = encode(self.loaded, upright, *key, *reading, before)
                self.memory.put(("question", key), found)
            return found

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
        seen, key = prepared.vision, ("record", prepared.key, index)
        if seen is not None and seen.encoder_index == index:
            return seen
        with self.turns:
            found: EncoderRecord | None = self.memory.get(key)
            if found is None:
                found = encoder_record(self.loaded, prepared, index)
                self.memory.put(key, found)
            return found

    def resolved(self, method: Method) -> Method:
        """The method with what it leaves to the model filled in, as a run will report it."""
        return method.on(host_of(self.loaded.model, self.loaded.adapter))

    def baseline(self, prepared: Prepared, settings: Settings | None = None) -> Answer:
        """Answer without pruning."""
        with self.turns:
            how = settings or Settings()
            stop = threading.Event()
            return self._baseline(prepared, how, lambda _: None, stop, Reach()).answer

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
        self,
        prepared: Prepared,
        method: Method,
        settings: Settings | None = None,
        *,
        streamed: bool = True,
        ahead: Sequence[Method] = (),
    ) -> Generator[Event]:
        """Answer with and without pruning, streamed.

        Yields events (see :class:`Event`); the last one is ``"done"``. Closing the generator
        stops the run.

        Parameters
        ----------
        prepared : Prepared
            From :meth:`prepare`.
        method : Method
            What prunes.
        settings : Settings, optional
            How answers are generated.
        streamed : bool
            Whether the pruned answer is to be seen while it grows. Where not, it is first taken
            to be the baseline's, which one forward tells, and only what differs is generated.
        ahead : sequence of Method
            Methods that will be asked next: what they have in common with the baseline is
            remembered, should that run now.

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
            if self.turns.busy:
                emit(Event("status", "Waiting for the model …"))
            with self.turns:
                self._run(prepared, method, how, emit, stop, streamed, ahead)

        return stream(work)

    def _run(
        self,
        prepared: Prepared,
        method: Method,
        settings: Settings,
        emit: Callable[[Event], None],
        stop: threading.Event,
        streamed: bool,
        ahead: Sequence[Method],
    ) -> None:
        emit(Event("status", "Running the unpruned baseline …"))
        own = self._reach(prepared, method, settings)
        reach = own
        for other in ahead:
            reach = reach.joined(self._reach(prepared, other, settings))
        reference = self._baseline(
            prepared, settings, lambda t: emit(Event("baseline", t)), stop, reach
        )
        baseline = reference.answer
        emit(Event("baseline", baseline.text, answer=baseline))
        emit(Event("status", f"Running {method.title} …"))
        ran = run_pruned(
            self.loaded,
            self.seen_for(prepared, method),
            method,
            settings,
            reference,
            self._sharing(prepared, own),
            (lambda t: emit(Event("pruned", t))) if streamed else None,
            stop,
        )
        self._remember(prepared, ran.prefix)
        done = Comparison(
            prepared.question,
            baseline,
            ran.made.answer,
            ran.fidelity,
            prepared.grid,
            prepared.hints,
        )
        emit(Event("done", comparison=done))

    def _baseline(
        self,
        prepared: Prepared,
        settings: Settings,
        on_text: Callable[[str], None],
        stop: threading.Event,
        reach: Reach,
    ) -> Generated:
        key = "baseline", prepared.key, settings
        # One with signals serves those who want none as well.
        richer = "baseline", prepared.key, replace(settings, signals=True)
        found: Generated | None = self.memory.get(richer) or self.memory.get(key)
        if found is None:
            ran = run_baseline(self.loaded, prepared, settings, on_text, stop, reach)
            found = ran.made
            if not found.answer.stopped:
                self.memory.put(key, found)
                self._remember(prepared, ran.prefix)
        return found

    def _reach(self, prepared: Prepared, method: Method, settings: Settings) -> Reach:
        return reach_of(self.resolved(method), settings, prepared, self.num_layers)

    def _sharing(self, prepared: Prepared, reach: Reach) -> Sharing:
        known: Prefix | None = self.memory.get(("prefix", prepared.key))
        decoder = self.loaded.adapter.decoder(self.loaded.model)
        return Sharing(decoder, reach, known or Prefix())

    def _remember(self, prepared: Prepared, prefix: Prefix) -> None:
        """Keep what is known of a question's first layers."""
        key = "prefix", prepared.key
        known: Prefix | None = self.memory.get(key)
        if prefix.cache and prefix is not known:
            self.memory.put(key, prefix if known is None else known.joined(prefix))

    def _encoder_indices(self, method: Method) -> list[int]:
        """Indices of the encoder layers that a method reads."""
        needs, loaded = self.resolved(method).needs, self.loaded
        asked = (needs.encoder_layer, *needs.further_layers) if needs.encoder else ()
        return [loaded.adapter.encoder_index(loaded.model, layer) for layer in asked]
