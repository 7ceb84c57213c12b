"""Methods in a file of somebody's own: brought in, and where in it something went wrong."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from pruneviz.errors import InputError
from pruneviz.methods.base import Method
from pruneviz.methods.registry import register

_FILES: set[str] = set()


def load_methods(path: str | Path) -> list[type[Method]]:
    """Run a Python file and register every method that it defines.

    Parameters
    ----------
    path : str or Path
        A file such as the tutorial's: one or more frozen dataclasses that derive from `Method`.

    Returns
    -------
    list of type
        The methods, in the file's order.

    Raises
    ------
    InputError
        If there is no such file, it fails, defines no method, or one that cannot be registered;
        the message tells the line where there is one.
    """
    file = Path(path).resolve()
    if file.suffix != ".py" or not file.is_file():
        raise InputError(f"{path} is no Python file that defines a pruning method.")
    _FILES.add(str(file))
    module = _run(file)
    own = [value for value in vars(module).values() if _is_own(value, module)]
    if not own:
        raise InputError(f"{path} defines no class that derives from Method.")
    for method in own:
        try:
            register(method)
        except ValueError as error:
            raise InputError(str(error)) from error
    return own


def own_fault(error: BaseException) -> str | None:
    """Where an error arose in a file that was loaded, in a line; None if it did not."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in _FILES:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            return f"{Path(frame.filename).name}, line {frame.lineno}, in {frame.name}: {what}"
    return None


def _run(file: Path) -> ModuleType:
    name = f"pruneviz_own_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file.name} cannot be read as Python.")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise InputError(f"{file.name}, line {error.lineno}: {error.msg}.") from error
    except Exception as error:  # whatever its author's code raises
        raise InputError(own_fault(error) or f"{file.name}: {error}") from error
    return module


def _is_own(value: object, module: ModuleType) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, Method)
        and value.__module__ == module.__name__
        and "name" in vars(value)
    )
