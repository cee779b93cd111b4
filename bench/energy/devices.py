"""Which GPUs to measure: those that a user names, or those that a program on this machine computes on."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from bench.energy.meter import NoMeter

NAME_THEM = "name the GPUs by their index or UUID, as nvidia-smi -L shows them"


def chosen(
    uuids: Sequence[str], names: Sequence[str], devices: str | None, environment: Mapping[str, str]
) -> list[int]:
    """NVML's indexes of the GPUs to measure, in order and each once. `uuids` and `names` are in NVML's order.

    `devices` are indexes of NVML (which nvidia-smi shows) or UUIDs or the beginnings of them, with commas between.
    Without it, those of `CUDA_VISIBLE_DEVICES`, and without that all: what is left visible may be computed on, and a
    GPU that idles beside the others is paid for. Raises `NoMeter`: `no_gpu`, `mig_enabled`.
    """
    if not uuids:
        raise NoMeter("no_gpu", "the driver shows none", "make a GPU visible to this machine or container")
    if devices is not None:
        if not _tokens(devices):
            raise NoMeter("no_gpu", "none was named", NAME_THEM)
        return list(dict.fromkeys(_named(token, uuids) for token in _tokens(devices)))
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return list(range(len(uuids)))
    return _visible(visible, uuids, names, environment.get("CUDA_DEVICE_ORDER", ""))


def _visible(visible: str, uuids: Sequence[str], names: Sequence[str], order: str) -> list[int]:
    """CUDA shows the GPUs before the first that is not there, and counts them in an order of its own."""
    tokens = _tokens(visible)
    if any(token.startswith("MIG-") for token in tokens):
        raise NoMeter("mig_enabled", "CUDA_VISIBLE_DEVICES names a slice", "measure on a GPU without MIG")
    there = itertools.takewhile(lambda index: index is not None, (_index(token, uuids) for token in tokens))
    found = [index for index in dict.fromkeys(there) if index is not None]
    if not found:
        raise NoMeter("no_gpu", f"CUDA_VISIBLE_DEVICES is {visible!r}, which shows none", NAME_THEM)
    by_number = any(token.isdigit() for token in tokens)
    # Fastest first, unless it is told otherwise; alike ones then stand as on the bus, which is NVML's order.
    if by_number and order != "PCI_BUS_ID" and len(set(names)) > 1 and len(found) < len(uuids):
        detail = "GPUs differ, and which CUDA counts as which cannot be told"
        raise NoMeter("no_gpu", detail, f"set CUDA_DEVICE_ORDER=PCI_BUS_ID, or {NAME_THEM}")
    return found


def _tokens(text: str) -> list[str]:
    return [token.strip() for token in text.split(",") if token.strip()]


def _named(token: str, uuids: Sequence[str]) -> int:
    if token.startswith("MIG-"):
        raise NoMeter("mig_enabled", f"{token} is a slice", "measure on a GPU without MIG")
    index = _index(token, uuids)
    if index is None:
        raise NoMeter("no_gpu", f"no GPU, or more than one, is {token!r}; there are {len(uuids)}", NAME_THEM)
    return index


def _index(token: str, uuids: Sequence[str]) -> int | None:
    """The GPU that an index or the beginning of a UUID stands for; None for none, and for more than one."""
    if token.isascii() and token.isdigit():
        return int(token) if int(token) < len(uuids) else None
    fitting = [index for index, uuid in enumerate(uuids) if token.startswith("GPU-") and uuid.startswith(token)]
    return fitting[0] if len(fitting) == 1 else None
