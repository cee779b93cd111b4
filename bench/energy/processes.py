"""Whose the processes on a GPU are, by `/proc`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable
from pathlib import Path

from bench.energy.gpu import Tenants

INITIAL_NAMESPACE = "pid:[4026531836]"
"""The machine's own process numbers (PROC_PID_INIT_INO of Linux); a container has others than the driver."""


class Household:
    """The program itself, the processes that a user vouches for, and all that they started."""

    def __init__(self, allowed: Collection[int] = (), proc: Path = Path("/proc")) -> None:
        self._ours = {os.getpid(), *allowed}
        self._proc = proc
        self._namespace = ""
        with contextlib.suppress(OSError):
            self._namespace = str((proc / "self" / "ns" / "pid").readlink())

    def tenants(self, pids: Iterable[int]) -> Tenants:
        """Whose these process numbers are, as the driver listed them.

        The driver counts by the machine's numbers. In a container a number may be nobody's or somebody else's, so that
        a list in which nothing is ours says nothing there.
        """
        listed = set(pids)
        ours = {pid for pid in listed if self._is_ours(pid)}
        others = listed - ours
        if self._namespace != INITIAL_NAMESPACE and not ours:
            return "unseen"
        if any((self._proc / str(pid)).exists() for pid in others):
            return "foreign"
        return "unseen" if others else "own"

    def _is_ours(self, pid: int) -> bool:
        line, at = [], pid
        while at > 0 and at not in self._ours:
            line.append(at)
            at = self._parent(at)
        if at <= 0:
            return False
        # Remembered: a process whose parent ends becomes another's child.
        self._ours.update(line)
        return True

    def _parent(self, pid: int) -> int:
        """0 where there is none, or it is not to be seen."""
        try:
            stat = (self._proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return 0
        # The name stands in brackets and may have brackets and spaces of its own.
        return int(stat.rpartition(")")[2].split()[1])
