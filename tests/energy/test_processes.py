"""Whose the processes on a GPU are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.energy.processes import Household
from tests.energy.metering import FOREVER, MINE, codes, reading
from tests.energy.scripted import FakeGpu


@pytest.fixture
def family() -> Iterator[tuple[int, int]]:
    """A child of this process, and a child of that."""
    script = (
        "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True)\n"
        "sys.stdin.read(); p.kill(); p.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        yield child.pid, int(child.stdout.readline())
        child.communicate()


def test_own_children_and_theirs_are_no_strangers(family: tuple[int, int]) -> None:
    child, grandchild = family
    assert Household().tenants([os.getpid(), child, grandchild]) == "own"
    assert reading(FakeGpu(pids=[(child, 0, FOREVER), (grandchild, 0, FOREVER)])).reasons == ()


def test_process_that_was_ours_stays_ours(family: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    household = Household()
    assert household.tenants([family[1]]) == "own"
    monkeypatch.setattr(household, "_parent", lambda pid: 1)  # as when its parent has ended
    assert household.tenants([family[1]]) == "own"


def proc(folder: Path, namespace: str, parents: dict[int, int]) -> Path:
    """A /proc with these processes and their parents."""
    (folder / "self" / "ns").mkdir(parents=True)
    (folder / "self" / "ns" / "pid").symlink_to(namespace)
    for pid, parent in parents.items():
        (folder / str(pid)).mkdir()
        (folder / str(pid) / "stat").write_text(f"{pid} (a) b (c) S {parent} 1 1 0")
    return folder


@pytest.mark.parametrize(
    ("container", "listed", "expected"),
    [
        (False, [], "own"),
        (False, ["me"], "own"),
        (False, ["me", 70], "own"),
        (False, [80], "foreign"),
        (False, ["me", 80], "foreign"),
        (False, ["me", 81], "foreign"),
        (False, ["me", 9999], "unseen"),
        (True, [], "unseen"),
        (True, [9999], "unseen"),
        (True, [80], "unseen"),
        (True, ["me"], "own"),
        (True, ["me", 80], "foreign"),
        (True, ["me", 9999], "unseen"),
    ],
)
def test_tenants(container: bool, listed: list[Any], expected: str, tmp_path: Path) -> None:
    me = os.getpid()
    namespace = "pid:[4026532222]" if container else "pid:[4026531836]"
    root = proc(tmp_path, namespace, {me: 1, 1: 0, 700: me, 70: 700, 80: 1, 81: 80})
    household = Household(proc=root)
    assert household.tenants([me if pid == "me" else pid for pid in listed]) == expected


def test_allowed_processes_and_their_children(tmp_path: Path) -> None:
    root = proc(tmp_path, "pid:[4026531836]", {os.getpid(): 1, 1: 0, 80: 1, 81: 80})
    assert Household(proc=root).tenants([80, 81]) == "foreign"
    assert Household([80], proc=root).tenants([80, 81]) == "own"


def test_allowed_process_in_a_window() -> None:
    gpu = FakeGpu(pids=[*MINE, (1, 0.0, FOREVER)])
    assert codes(reading(gpu)) == {"shared_gpu"}
    assert reading(gpu, allowed=[1]).reasons == ()
