"""A loaded transformers model as the `hf:` backend sees it: its limits, its cache, padded batches. Imports torch."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any, TypeVar

import torch
from transformers import DynamicCache, GenerationConfig
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from bench.backend import ModelStopped
from bench.models.hf_batching import Count
from bench.models.hf_encoding import Encoder

Item = TypeVar("Item")
Result = TypeVar("Result")

# How the names end under which configurations keep the length that a layer with local attention sees.
_WINDOWS = ("window", "window_size", "chunk_size")


class Network:
    """One loaded model.

    `limit` is how many tokens it reads at most, `ends` the tokens that end an answer, `vocabulary` how many there are.
    `turn` is the length beyond which a batch has all its positions turned by other angles. `reach` is how long a
    sequence may be for its cached context to be shared; 0 where it never may. `masking` says whether padding on the
    left is hidden from it, which recurrent models without such a cache read; `cuttable` whether rows can be taken out
    of its cache.
    """

    def __init__(self, model: Any, encoder: Encoder) -> None:
        self.model = model
        self.device = _entrance(model)
        self.limit = _positions(model.config.get_text_config(), encoder)
        self.vocabulary = int(model.get_input_embeddings().weight.shape[0])
        parameters = inspect.signature(model.forward).parameters
        # Without it logits of the whole context would be computed: 16 x 2,048 tokens x 128,000 words are 17 GB.
        self.sparse = "logits_to_keep" in parameters
        self.ends = _end_tokens(model, encoder)
        self.pad = encoder.pad if encoder.pad is not None else min(self.ends, default=0)
        self.count = Count()
        layers = _cache_layers(model)
        self.masking = "past_key_values" in parameters
        self.cuttable = layers is not None and self.masking
        self.turn = _turn(model.config.get_text_config())
        masked = "position_ids" in parameters and model.config._attn_implementation in {"sdpa", "eager"}
        # Some old models keep a mask of their own by columns, whatever mask and positions they are told.
        masked = masked and not any(buffer.dim() == 4 for buffer in model.buffers())
        self.reach = min(self.turn, _window(model.config.get_text_config())) if layers and masked else 0
        quantised = getattr(model.config, "quantization_config", None)
        method = (
            quantised.get("quant_method") if isinstance(quantised, dict) else getattr(quantised, "quant_method", "")
        )
        self.dtype = " ".join(filter(None, [str(method or ""), str(model.dtype).removeprefix("torch.")]))
        self.end_at(self.ends)

    def end_at(self, ends: frozenset[int]) -> None:
        """Which tokens end an answer from now on."""
        # Drawn as we say: the folder's own sampling settings and repetition penalty are left out. The model's own
        # configuration is what counts: of one that is passed, transformers fills what is None from it.
        untyped: Any = GenerationConfig
        self.model.generation_config = untyped(
            do_sample=False, eos_token_id=sorted(ends) or None, pad_token_id=self.pad
        )

    def padded(self, rows: Sequence[Sequence[int]], *, left: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """(ids, mask), both rows x columns: token numbers, and 1 where one is no padding."""
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), self.pad)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for index, row in enumerate(rows):
            span = slice(width - len(row), width) if left else slice(len(row))
            ids[index, span] = torch.tensor(row)
            mask[index, span] = 1
        self.count.read += sum(map(len, rows))
        self.count.columns += ids.numel()
        return ids.to(self.device), mask.to(self.device)


def halving(
    batch: Sequence[Item], work: Callable[[Sequence[Item]], Result]
) -> Iterator[tuple[Sequence[Item], Result | None, float]]:
    """`work` done on the batch, or on ever smaller halves of it where memory runs out: (part, result, seconds).

    The result is None for a single item that memory cannot hold.
    """
    began = perf_counter()
    try:
        result: Result | None = work(batch)
    except torch.AcceleratorError as error:
        # The device is in an unknown state, and every later call would fail too.
        raise ModelStopped(f"the GPU gave up: {str(error).splitlines()[0]}") from error
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        result = None
    # Outside the handler, because the error's traceback holds the tensors that must go.
    if result is not None or len(batch) == 1:
        yield batch, result, perf_counter() - began
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(batch) // 2
    yield from halving(batch[:half], work)
    yield from halving(batch[half:], work)


def out_of_memory(error: RuntimeError | MemoryError) -> bool:
    """Whether memory ran out, on the GPU or on the CPU, where torch raises a bare RuntimeError."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "DefaultCPUAllocator" in str(error)


def _entrance(model: Any) -> torch.device:
    """Where the model wants its input: a spread one moves it on from there, and the weights may lie elsewhere."""
    spread = getattr(model, "hf_device_map", {}).values()
    return next((torch.device(place) for place in spread if place not in {"cpu", "disk"}), model.device)


def _positions(config: Any, encoder: Encoder) -> int:
    """How many tokens the model reads at most; no bound where neither its configuration nor its tokenizer has one."""
    named = (getattr(config, name, None) for name in ("n_positions", "max_position_embeddings", "n_ctx"))
    return next((limit for limit in named if isinstance(limit, int) and limit > 0), encoder.limit)


def _end_tokens(model: Any, encoder: Encoder) -> frozenset[int]:
    """The tokens that end an answer: chat models have several, some named only in the generation configuration."""
    ends: set[int] = set()
    for named in (model.generation_config.eos_token_id, model.config.get_text_config().eos_token_id, encoder.end):
        ends.update([named] if isinstance(named, int) else named or ())
    return frozenset(ends)


def _cache_layers(model: Any) -> list[Any] | None:
    """The layers of the model's cache where each holds the keys and values of tokens and nothing else; else None."""
    try:
        untyped: Any = DynamicCache
        layers: list[Any] = untyped(config=model.config).layers
    except (AttributeError, KeyError, TypeError, ValueError):  # no transformer, and a configuration of another shape
        return None
    plain = all(type(layer) in {DynamicLayer, DynamicSlidingWindowLayer} for layer in layers)
    return layers if plain and layers else None


def _turn(config: Any) -> int:
    """Beyond how many tokens the angles of rotary positions change with the longest sequence of a batch."""
    rope = getattr(config, "rope_parameters", None) or {}
    changing = [
        part.get("original_max_position_embeddings") or config.max_position_embeddings
        for part in (rope, *rope.values())
        if isinstance(part, dict) and part.get("rope_type") in {"dynamic", "longrope"}
    ]
    return min(changing, default=sys.maxsize)


def _window(config: Any) -> int:
    """Beyond how many tokens some layer forgets the beginning of a sequence."""
    named = config.to_dict().items()
    windows = [size for name, size in named if name.endswith(_WINDOWS) and isinstance(size, int) and size > 0]
    return min(windows, default=sys.maxsize) - 1
