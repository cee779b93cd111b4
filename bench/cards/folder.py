"""What a transformers folder says of its model: card, config.json, safetensors headers, tokenizer.json, adapter.

Nothing is loaded and nothing is fetched. A file that is missing, damaged or hostile makes facts unknown, with a reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import msgspec

from bench.cards import card
from bench.cards.facts import (
    ADAPTER,
    CONFIG,
    HEADER,
    OPTION,
    OWNER,
    TOKENIZER,
    WEIGHTS,
    Facts,
    base_name,
    merged,
    stated,
)

NO_FILES = "no_files: neither a folder nor in the hub's cache"
NOT_IN_CACHE = "not_in_cache"
"""The cache has the model but not its card, which no backend needs; `hf download OWNER/NAME README.md` gets it."""

INDEX = "model.safetensors.index.json"
_FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
# Positions and masks that some models store beside their weights.
_BUFFERS = {"I64": 8, "BOOL": 1}
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
_LARGEST_JSON = 64 * 1024 * 1024
_LARGEST_HEADER = 100_000_000
"""Bytes, as the format has it."""
_UNBOUNDED = 1_000_000_000
"""A context of so many tokens stands for none, in some configurations."""
# The names under which model families keep the longest sequence, in tokens.
_CONTEXT = (
    *("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length"),
    *("max_sequence_length", "max_seq_length", "n_ctx"),
)
# Ways of scaling positions after which the configuration states the scaled length.
_SCALED_ALREADY = ("default", "llama3", "longrope", "su", "mrope")
_TEXT_CONFIGS = ("text_config", "llm_config", "language_config")

Record = TypeVar("Record")


class _Tensor(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


class _Pieces(msgspec.Struct):
    vocab: dict[str, int] | list[Any]


class _Added(msgspec.Struct):
    content: str


class _Tokenizer(msgspec.Struct):
    model: _Pieces
    added_tokens: list[_Added] = []


class _Damaged(Exception):
    """A file is not what it should be. The message is a reason."""


def local(rest: str) -> Path | None:
    """The folder that a model's name names, or None."""
    path = Path(rest.strip()).expanduser()
    try:
        return path if path.is_dir() else None
    except OSError:  # longer than any name
        return None


def locate(rest: str, revision: str | None = None) -> tuple[Path | None, Facts]:
    """(the folder of a model or the snapshot of a cached hub repository, what its name alone says)."""
    folder = local(rest)
    if folder is not None:
        return folder, Facts(reasons={"organisation": "no_repository: a folder has no owner"})
    from huggingface_hub import try_to_load_from_cache

    owner, slash, _ = rest.partition("/")
    named = stated(OWNER, {} if slash else {"organisation": "no_owner"}, organisation=owner if slash else None)
    try:
        files = [
            try_to_load_from_cache(rest, name, revision=revision) for name in ("config.json", "adapter_config.json")
        ]
    except (ValueError, OSError):  # not the name of a repository
        return None, Facts()
    found = [Path(file).parent for file in files if isinstance(file, str)]
    return (found[0], named) if found else (None, named)


def read(found: tuple[Path | None, Facts]) -> Facts:
    """All that a folder says, and the name that it was found by."""
    folder, named = found
    if folder is None:
        unread = dict.fromkeys((*card.FIELDS, "parameters", "context", "vocabulary", "architecture"), NO_FILES)
        return merged(named, Facts(reasons={**unread, "open_weights": NO_FILES}))
    said = card.read(folder / "README.md")
    if named.organisation and said.reasons.get("licence") == card.NO_CARD:
        said = Facts(reasons=dict.fromkeys(card.FIELDS, NOT_IN_CACHE))
    made = merged(named, said)
    is_adapter = (folder / ADAPTER).is_file()
    for source in (*([_adapter(folder)] if is_adapter else []), _config(folder), _tokenizer(folder)):
        made = merged(made, source)
    counted = Facts(reasons={"parameters": "adapter: its weights come on top of the base's"}) if is_adapter else None
    return merged(merged(made, counted or _counted(folder)), _at_hand(folder))


def adapted(found: tuple[Path | None, Facts], base: str, adapter: str) -> Facts:
    """The facts of an adapter that a backend puts on a base model: the adapter's own, and the base's shape."""
    below = read(found)
    shape = {name: getattr(below, name) for name in ("context", "vocabulary", "architecture")}
    bare = Facts(
        **shape,
        base=(base,),
        relation="adapter",
        origin={**below.origin, "base": OPTION, "relation": OPTION},
        reasons={name: below.reasons[name] for name in shape if name in below.reasons},
    )
    return merged(bare, read(locate(adapter)))


def _adapter(folder: Path) -> Facts:
    try:
        config = _json(folder / ADAPTER, dict[str, Any])
    except _Damaged as error:
        return Facts(reasons={"base": str(error)})
    base = config.get("base_model_name_or_path")
    known = isinstance(base, str) and base.strip() and base.isprintable() and len(base) <= 1000
    return stated(
        ADAPTER,
        {} if known else {"base": f"no_base: {ADAPTER} names none"},
        base=(base_name(str(base).strip()),) if known else None,
        relation="adapter",
    )


def _config(folder: Path) -> Facts:
    try:
        config = _json(folder / CONFIG, dict[str, Any])
    except _Damaged as error:
        return Facts(reasons=dict.fromkeys(("context", "architecture"), str(error)))
    text = _text_config(config)
    lengths = [text[key] for key in _CONTEXT if type(text.get(key)) is int and 0 < text[key] < _UNBOUNDED]
    architecture = config.get("architectures")
    first = architecture[0] if isinstance(architecture, list) and architecture else None
    named = isinstance(first, str) and first.isidentifier() and len(first) <= 200
    reasons = {} if lengths else {"context": f"not_in_config: {CONFIG} bounds no sequence"}
    if lengths and (stretched := _stretched(text)):
        reasons["context"] = stretched
    if not named:
        reasons["architecture"] = f"not_in_config: {CONFIG} names no architecture"
    return stated(CONFIG, reasons, context=min(lengths, default=None), architecture=first if named else None)


def _text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part about text, in the configuration of a model that also sees or hears."""
    for name in _TEXT_CONFIGS:
        part = config.get(name)
        if isinstance(part, dict) and any(key in part for key in _CONTEXT):
            return part
    return config


def _stretched(text: Mapping[str, Any]) -> str:
    """A remark where positions are scaled: implementations differ in whether the context has the factor in it."""
    scaling = text.get("rope_scaling") or text.get("rope_parameters")
    if not isinstance(scaling, dict) or scaling.get("rope_type", scaling.get("type")) in _SCALED_ALREADY:
        return ""
    factor: Any = scaling.get("factor")
    before = scaling.get("original_max_position_embeddings")
    number = isinstance(factor, int | float) and not isinstance(factor, bool)
    if not number or not factor > 1 or before not in (None, text.get("max_position_embeddings")):
        return ""
    return f"stretched: positions are scaled by {factor:g}, which may lengthen the context"


def _tokenizer(folder: Path) -> Facts:
    try:
        made = _json(folder / TOKENIZER, _Tokenizer)
    except _Damaged as error:
        return Facts(reasons={"vocabulary": str(error)})
    vocab = made.model.vocab
    pieces = set(vocab) if isinstance(vocab, dict) else {str(one[0]) for one in vocab if isinstance(one, list) and one}
    size = len(pieces | {added.content for added in made.added_tokens})
    return stated(
        TOKENIZER, {} if size else {"vocabulary": "empty: tokenizer.json has no token"}, vocabulary=size or None
    )


def _at_hand(folder: Path) -> Facts:
    try:
        there = any(path.suffix in _WEIGHTS and path.is_file() for path in folder.iterdir())
    except OSError:
        there = False
    return stated(WEIGHTS, {} if there else {"open_weights": "no_weights"}, open_weights=there or None)


def _counted(folder: Path) -> Facts:
    """The parameters, counted from the headers of all shards."""
    try:
        count = sum(math.prod(shape) for shape in _shapes(folder).values())
    except _Damaged as error:
        return Facts(reasons={"parameters": str(error)})
    return stated(HEADER, {} if count else {"parameters": "no_weights"}, parameters=count or None)


def _shapes(folder: Path) -> dict[str, list[int]]:
    """The shape of each weight, by its name. Raises `_Damaged` with why they cannot be told."""
    quantised = _quantised(folder)
    shapes: dict[str, list[int]] = {}
    for name in _shards(folder):
        for tensor, header in _header(folder / name).items():
            if quantised or header.dtype not in {*_FLOATS, *_BUFFERS}:
                raise _Damaged(f"quantised: {quantised or header.dtype}; a packed number may hold several parameters")
            if header.dtype in _FLOATS:
                shapes[tensor] = header.shape
    return shapes


def _quantised(folder: Path) -> str:
    """How config.json says that the weights are packed; "" where it does not."""
    try:
        config = _json(folder / CONFIG, dict[str, Any])
    except _Damaged:
        return ""
    for part in (config, *(config.get(name) for name in _TEXT_CONFIGS)):
        how = part.get("quantization_config") or part.get("compression_config") if isinstance(part, dict) else None
        if how:
            method = how.get("quant_method") if isinstance(how, dict) else None
            return method if isinstance(method, str) and method.isprintable() and len(method) <= 40 else CONFIG
    return ""


def _shards(folder: Path) -> list[str]:
    """The names of the files that make up the weights."""
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix == ".safetensors")
    except OSError as error:
        raise _Damaged(f"unreadable: {error.strerror}") from error
    if "model.safetensors" in names:
        return ["model.safetensors"]
    if (folder / INDEX).is_file():
        names = sorted(set(_json(folder / INDEX, _Index).weight_map.values()))
        if any(PurePosixPath(name).name != name or "\\" in name for name in names):
            raise _Damaged(f"damaged: {INDEX} names files outside the folder")
        return names
    if not names:
        raise _Damaged("no_safetensors: only such files say how many there are")
    if len(names) > 1:
        raise _Damaged(f"no_index: several files of weights, and no {INDEX} that says which belong together")
    return names


def _header(path: Path) -> dict[str, _Tensor]:
    """The tensors of one safetensors file: eight bytes that hold the length of the JSON after them."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            content = file.read(length) if length <= _LARGEST_HEADER else b""
        room = path.stat().st_size - 8 - length
    except FileNotFoundError as error:
        raise _Damaged(f"missing_shard: {path.name}") from error
    except OSError as error:
        raise _Damaged(f"unreadable: {path.name}, {error.strerror}") from error
    try:
        tensors = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        tensors.pop("__metadata__", None)
        made = {name: msgspec.json.decode(raw, type=_Tensor) for name, raw in tensors.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Damaged(f"damaged: {path.name} has no header") from error
    for tensor in made.values():
        begin, end = tensor.data_offsets
        bytes_each = {**_FLOATS, **_BUFFERS}.get(tensor.dtype)
        whole = bytes_each is None or bytes_each * math.prod(tensor.shape) == end - begin
        if not (whole and 0 <= begin <= end <= room and min(tensor.shape, default=0) >= 0):
            raise _Damaged(f"damaged: {path.name} is cut short, or its header is wrong")
    return made


def _json(path: Path, kind: type[Record]) -> Record:
    try:
        if not path.is_file():
            raise _Damaged(f"no_file: {path.name}")
        if path.stat().st_size > _LARGEST_JSON:
            raise _Damaged(f"too_large: {path.name}")
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise _Damaged(f"unreadable: {path.name}, {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Damaged(f"damaged: {path.name} does not read") from error
