"""numba, set up in one place: no interpreter lock, IEEE arithmetic in source order, a cache that cannot be stale."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numba.core.config
import numba.core.event
import platformdirs

Function = TypeVar("Function", bound=Callable[..., Any])
DAMAGED = (OSError, EOFError, pickle.UnpicklingError, ValueError, TypeError, AttributeError, ImportError, LookupError)
"""What reading half a file of pickles can raise."""
_IMPORT = re.compile(r"^from kernels(?:\.(\w+) import|\s+import (.+))", re.MULTILINE)


class _Told(numba.core.event.Listener):
    """Says once that kernels are being compiled: the first score on a machine takes seconds that no later one does."""

    said = False

    def on_start(self, event: object) -> None:
        if not _Told.said:
            _Told.said = True
            logging.getLogger("kernels").info("compiling the scoring kernels for this machine; this happens once")

    def on_end(self, event: object) -> None:
        pass


_events: Any = numba.core.event
_events.register("numba:compile", _Told())


def compiled(function: Function) -> Function:
    """Compiles a function at its first call, or takes it from the cache: half a second instead of several.

    Without `fastmath` floating point stays what sacreBLEU's Python does, operation by operation. Indices are not
    checked: callers size every buffer for the worst case, and the tests run the same code with the checks on
    (`NUMBA_BOUNDSCHECK=1`).
    """
    config: Any = numba.core.config
    before = config.CACHE_DIR
    config.CACHE_DIR = _cache(Path(function.__code__.co_filename))
    try:
        machine: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = before
    _forgive(machine._cache)
    return cast("Function", machine)


def _forgive(cache: Any) -> None:
    """Makes a damaged cache a miss, and a disk without room a cache that keeps nothing: slower, and never an error."""
    load, save = cache.load_overload, cache.save_overload

    def load_or_miss(signature: Any, context: Any) -> Any:
        try:
            return load(signature, context)
        except DAMAGED:
            with contextlib.suppress(OSError):
                cache.flush()
            return None

    def save_if_possible(signature: Any, made: Any) -> None:
        with contextlib.suppress(*DAMAGED):
            save(signature, made)

    cache.load_overload, cache.save_overload = load_or_miss, save_if_possible


@functools.cache
def _cache(source: Path) -> str:
    """A folder for exactly this source and those of `kernels` that it imports.

    numba's own key is the date of the one file that a function stands in, so a change in what that function calls
    would go unseen, and old machine code would answer.
    """
    digest = hashlib.sha256()
    for path in sorted(_with_imports(source, set())):
        digest.update(path.read_bytes())
    base = os.environ.get("NUMBA_CACHE_DIR") or platformdirs.user_cache_dir("bench")
    return str(Path(base) / "kernels" / f"{source.stem}-{digest.hexdigest()[:16]}")


def _with_imports(source: Path, found: set[Path]) -> set[Path]:
    if source not in found and source.exists():
        found.add(source)
        for module, names in _IMPORT.findall(source.read_text("utf-8")):
            for name in [module] if module else names.split(","):
                _with_imports(source.with_name(f"{name.strip()}.py"), found)
    return found
