"""The models that may be asked, by name: loaded when first needed, let go when another comes."""

from __future__ import annotations

import gc
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace

import torch

from pruneviz.engine import turns
from pruneviz.engine.outlook import Outlook, Placement, check_memory, outlook
from pruneviz.engine.session import Session
from pruneviz.engine.turns import Turns
from pruneviz.errors import InputError
from pruneviz.models.core import fetching
from pruneviz.models.core.loading import EMBEDDED, LoadedModel, load_model, model_type

LONGEST_NAME = 1_000


class Shelf:
    """Sessions by model name; safe to share between threads.

    Parameters
    ----------
    names : sequence of str
        Models on offer; the first is the default. The embedded one is always added.
    any_name : bool
        Whether any other hub id or local folder may be named, too.
    places : int
        Most models held in memory beside the embedded one; the one unused for longest goes.
    placement : Placement
        How they are loaded.
    make : callable
        Makes a session of a loaded model.

    Notes
    -----
    A model that is let go while it is still running stays in memory until that run ends. Models
    are looked up, downloaded and loaded while others answer; one is loaded at a time.
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        *,
        any_name: bool = False,
        places: int = 1,
        placement: Placement | None = None,
        make: Callable[[LoadedModel], Session] = Session,
    ) -> None:
        self.offered = tuple(dict.fromkeys((*names, EMBEDDED)))
        self.any_name = any_name
        self._places, self._make = max(1, places), make
        self._placement = placement or Placement()
        self._held: OrderedDict[str, Session] = OrderedDict()
        self._folders: dict[str, str] = {}
        self._lock, self._loading = threading.Lock(), Turns()
        self.turns = Turns()

    @classmethod
    def of(cls, *sessions: Session, any_name: bool = False) -> Shelf:
        """A shelf that starts with loaded models; the first is the default."""
        names = [session.loaded.name for session in sessions]
        shelf = cls(names, any_name=any_name, places=len(names))
        shelf._held.update(zip(names, sessions, strict=True))
        if sessions:
            # On another shelf as well, it still runs one thing at a time.
            shelf.turns = sessions[0].turns
        for session in sessions:
            session.turns = shelf.turns
        return shelf

    @property
    def default(self) -> str:
        """Name of the model that answers where none is named."""
        return self.offered[0]

    def resolve(self, name: str = "") -> str:
        """The model meant by a name as typed; nothing is loaded.

        Raises
        ------
        InputError
            If it is not offered.
        """
        wanted = "" if name is None else str(name).strip()
        if not wanted:
            return self.default
        if wanted in self.offered:
            return wanted
        typed = isinstance(name, str) and self.any_name
        if typed and len(wanted) <= LONGEST_NAME and wanted.isprintable():
            return os.path.expanduser(wanted)
        raise InputError(
            f"The model {wanted[:80]!r} is not offered here. Choose one of: "
            f"{', '.join(self.offered)}."
        )

    def holds(self, name: str) -> bool:
        """Whether a model is in memory."""
        with self._lock:
            return name in self._held

    def quantises(self, name: str) -> bool:
        """Whether a model's weights are quantised when it is loaded."""
        return self._placement.quantisation is not None and name != EMBEDDED

    def look(self, name: str) -> Outlook:
        """What can be told about a model cheaply: no weights are read, no network is asked.

        Raises
        ------
        InputError
            If it is not offered.
        ModelLoadError, UnsupportedModelError
            If it can already be said that it cannot be loaded.
        """
        name = self.resolve(name)
        return outlook(name, self._placement, self.holds(name))

    def check(self, name: str) -> None:
        """Make sure that a model exists and is supported; only its configuration is read.

        Raises
        ------
        InputError, ModelLoadError, UnsupportedModelError
            If it cannot be used.
        """
        fetching.check(self.resolve(name))

    def fetching(self, name: str) -> Generator[fetching.Progress]:
        """Check a model and bring its files here, which may take long; nothing is loaded.

        Tells some times a second how far it is. Closing the generator ends the download.

        Raises
        ------
        InputError, ModelLoadError, UnsupportedModelError
            If it cannot be used; the message says what to do.
        """
        name = self.resolve(name)
        if not self.holds(name):
            folder = yield from fetching.fetching(name)
            with self._lock:
                self._folders[name] = folder

    def fetch(self, name: str) -> None:
        """The same, waiting for its end; ends with who waits, see ``engine.turns.until``."""
        with closing(self.fetching(name)) as steps:
            for _ in steps:
                turns.check()

    def session(self, name: str = "") -> Session:
        """The session of a model, which is loaded first where it is not in memory.

        Parameters
        ----------
        name : str
            Empty for the default.

        Raises
        ------
        InputError, ModelLoadError, UnsupportedModelError
            If it cannot be used; the message says what to do. Other models stay usable.
        """
        name = self.resolve(name)
        found = self._take(name)
        if found is not None:
            return found
        self.fetch(name)  # which must not keep others from loading
        with self._loading:
            return self._take(name) or self._load(name)

    def _take(self, name: str) -> Session | None:
        with self._lock:
            if name in self._held:
                self._held.move_to_end(name)
            return self._held.get(name)

    def _load(self, name: str) -> Session:
        how, source = self._placement, self._folders.get(name, name)
        quantisation = how.quantisation if self.quantises(name) else None
        model_type(source)  # what cannot be loaded must not cost another model its place
        if quantisation is None:
            check_memory(name, how, self._to_be_freed(name), source)
        self._make_room(name)
        loaded = load_model(source, how.device, how.dtype, quantisation)
        session = self._make(replace(loaded, name=name))
        session.turns = self.turns
        with self._lock:
            self._held[name] = session
        return session

    def _to_be_freed(self, name: str) -> int:
        with self._lock:
            models = [self._held[key].loaded.model for key in self._leaving(name)]
            return sum(model.get_memory_footprint() for model in models)

    def _make_room(self, name: str) -> None:
        with self._lock:
            leaving = self._leaving(name)
            for key in leaving:
                del self._held[key]
        if leaving:
            gc.collect()  # modules refer to one another in circles
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _leaving(self, name: str) -> list[str]:
        """Models that must go before another one comes, the one unused for longest first."""
        large = [key for key in self._held if key != EMBEDDED]
        over = len(large) + 1 - self._places
        return large[:over] if name != EMBEDDED and over > 0 else []
