"""The weights of the `hf:` backend: loaded, moved to where they compute, and a LoRA adapter merged into them."""

from __future__ import annotations

import importlib
import warnings
from typing import Any, Literal

import torch

from bench.models.hf_source import Adapter, explained, first_line, load_errors
from bench.records import UsageError

SPREADS = frozenset({"auto", "balanced", "balanced_low_0", "sequential"})
"""Device maps that are no device: accelerate spreads the layers."""

Precision = Literal["auto", "bfloat16", "float16", "float32"]


def read_weights(
    transformers: Any,
    name: str,
    source: str,
    config: Any,
    commit: str,
    *,
    dtype: Precision = "auto",
    device_map: str | None = None,
    attention: str | None = None,
    adapter: Adapter | None = None,
) -> Any:
    """The model, ready to answer: on the GPU where there is one, in bfloat16 there and in float32 on the CPU.

    Raises `UsageError` for weights that are missing, damaged or too big, and for a device that is not there.
    """
    device = _device(name, device_map)
    problem = f"{name}: its weights do not load as a causal language model; copy or download them again"
    if attention is not None:
        problem = f"{name}: its weights do not load with attn_implementation={attention}"
    gpu = torch.cuda.is_available() if device is None else device.type != "cpu"
    precision = (torch.bfloat16 if gpu else torch.float32) if dtype == "auto" else getattr(torch, dtype)
    spread = {"device_map": device_map} if device is None else {}
    with explained(problem, (*load_errors(), RuntimeError)):
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            source,
            config=config,
            revision=commit,
            trust_remote_code=False,
            dtype=precision,
            attn_implementation=attention,
            output_loading_info=True,
            **spread,
        )
    if missing := sorted(report["missing_keys"]):
        # transformers would fill them with random numbers and only warn.
        raise UsageError(
            f"{name}: its weights lack {len(missing)} tensors of the model in config.json ({missing[0]}, say); "
            "copy or download them again"
        )
    if device is not None and device.type != "cpu":
        try:
            model = model.to(device)
        except torch.OutOfMemoryError as error:
            raise UsageError(
                f"{name}: its weights do not fit into the GPU's memory; take a smaller model, several GPUs "
                "(-M device_map=auto) or the CPU (-M device_map=cpu)"
            ) from error
    return (model if adapter is None else _adapted(model, name, adapter)).eval()


def _device(name: str, device_map: str | None) -> torch.device | None:
    """The one device that the model goes to; None where its layers are spread over several. Raises `UsageError`."""
    if device_map is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device_map in SPREADS:
        try:
            importlib.import_module("accelerate")
        except ImportError as error:
            raise UsageError(
                f"{name}: device_map={device_map} needs accelerate, which does not import here ({first_line(error)}); "
                "run: pip install accelerate"
            ) from error
        return None
    try:
        device = torch.device(device_map)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"{name}: no device {device_map!r} ({first_line(error)}); device_map is one of "
            f"{', '.join(sorted(SPREADS))}, cpu, cuda, cuda:1 and the like"
        ) from error
    return device


def _adapted(model: Any, name: str, adapter: Adapter) -> Any:
    """The model with the adapter merged into its weights: as quick as without, and of the same class."""
    try:
        peft: Any = importlib.import_module("peft")
    except ImportError as error:
        raise UsageError(
            f"{name}: lora needs peft, which does not import here ({first_line(error)}); "
            "install the extra `lora` (pip install -e '.[lora]')"
        ) from error
    problem = f"{name}: lora: {adapter.name} does not load as an adapter of this model"
    more = {} if adapter.commit is None else {"revision": adapter.commit}
    with warnings.catch_warnings(), explained(problem, (*load_errors(), RuntimeError)):
        warnings.simplefilter("ignore", FutureWarning)  # peft reads names that transformers is about to drop
        loaded = peft.PeftModel.from_pretrained(model, adapter.source, **more)
        return loaded.merge_and_unload(safe_merge=True)
