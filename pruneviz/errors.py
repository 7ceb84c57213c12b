"""Errors that say what is wrong and what to do."""


class PruneVizError(Exception):
    """Base of all errors raised on purpose; the message is meant for the user."""


class UnsupportedModelError(PruneVizError, TypeError):
    """The model's structure is not one that tokens can be removed from."""


class PruningError(PruneVizError, RuntimeError):
    """The way the model is run does not allow tokens to be removed correctly."""


class InputError(PruneVizError, ValueError):
    """An image, a question or a setting that cannot be used."""


class ModelLoadError(PruneVizError, RuntimeError):
    """A model could not be found or loaded."""


class AbandonedError(Exception):
    """Nobody waits any more for what runs: not an error to tell of, but a way to end it."""


def told(error: BaseException) -> str:
    """The message of an error, and where it arose if that was noted."""
    return " ".join([str(error), *getattr(error, "__notes__", ())])
