"""The engine behind an endpoint of one's own: which it is, and what its page of metrics says of its work.

The pages are those of Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/. Names are
those that vLLM 0.32, SGLang, llama.cpp (`--metrics`) and TGI document; another page says nothing.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.backend import EngineFacts, Load, ModelStopped
from bench.services import wire
from bench.services.calls import Call, Limits, Reply, Unusable
from bench.services.endpoint import Endpoint

EVERY = 1.0
"""Seconds between two looks at a page of metrics."""
LIMITS = Limits(most=1, timeout=2.0, attempts=1, deadline=2.0, patience=2.0)
"""A page that is not there at once is not there."""
UNKNOWN = Load(None, None, None)

_LINE = re.compile(r"^(?P<name>[A-Za-z_:][\w:]*)(?:\{.*\})?[ \t]+(?P<value>\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Known:
    """One engine: its names for what runs now, for tokens of prompts, of them read from a cache, and of answers.

    `whole`: its count of prompts has the cached ones in it. `about` are paths that tell the version under the name
    `version`, `dtype` is its name for the type of numbers, and `forget` the path that empties its cache of prompts.
    """

    name: str
    running: str
    output: str
    prompt: str = ""
    cached: str = ""
    whole: bool = True
    about: tuple[str, ...] = ()
    version: str = "version"
    dtype: str = ""
    forget: str = ""

    def load(self, page: Mapping[str, float]) -> Load:
        """What a page says."""
        prompt, cached = _count(page, self.prompt), _count(page, self.cached)
        if self.whole:
            prompt = prompt - cached if prompt is not None and cached is not None and cached <= prompt else None
        return Load(_count(page, self.running), prompt, _count(page, self.output))


ENGINES = (
    Known(
        "vllm",
        "vllm:num_requests_running",
        "vllm:generation_tokens_total",
        "vllm:prompt_tokens_total",
        "vllm:prompt_tokens_cached_total",
        about=("/version",),
        forget="/reset_prefix_cache",
    ),
    Known(
        "sglang",
        "sglang:num_running_reqs",
        "sglang:generation_tokens_total",
        "sglang:prompt_tokens_total",
        "sglang:cached_tokens_total",
        about=("/server_info", "/get_server_info"),
        dtype="dtype",
        forget="/flush_cache",
    ),
    Known(
        "llama.cpp",
        "llamacpp:requests_processing",
        "llamacpp:tokens_predicted_total",
        "llamacpp:prompt_tokens_total",
        whole=False,
        about=("/props",),
        version="build_info",
    ),
    Known(
        "tgi",
        "tgi_batch_current_size",
        "tgi_request_generated_tokens_sum",
        about=("/info",),
        dtype="model_dtype",
    ),
)


def samples(page: str) -> dict[str, float]:
    """The values of a page by name, summed over labels: several engines, or sources, are one server."""
    found: dict[str, float] = {}
    for line in _LINE.finditer(page):
        try:
            found[line["name"]] = found.get(line["name"], 0.0) + float(line["value"])
        except ValueError:
            continue  # no sample: a page may be of anything
    return found


def root(base_url: str) -> str:
    """The server's address without the path of OpenAI's protocol."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1')}"


class Server:
    """One server's own pages, beside OpenAI's protocol. `opened` makes a connection with `LIMITS`."""

    def __init__(self, address: str, opened: Callable[[], Endpoint]) -> None:
        """Looks which engine it is. Raises nothing for a server that does not say."""
        self._root = address
        self._opened = opened
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._load = UNKNOWN
        page = self._ask(Call(f"{address}/metrics"))
        told = samples(page.body.decode("utf-8", "replace")) if page is not None else {}
        self._known = next((engine for engine in ENGINES if engine.running in told), None)
        self.facts = self._facts()

    @property
    def name(self) -> str:
        """The engine's name; "" for one that is not known."""
        return self.facts.name

    def load(self) -> Load:
        """What the page said last, at most some seconds ago; from now on it is looked at every `EVERY` seconds."""
        if self._known is not None and self._thread is None and not self._done.is_set():
            self._thread = threading.Thread(target=self._watch, name="engine metrics", daemon=True)
            self._thread.start()
        return self._load

    def forget(self) -> None:
        """Asks the server to empty its cache of prompts; not every server may be asked."""
        if self._known is not None and self._known.forget:
            self._ask(Call(self._root + self._known.forget, b"", "POST"))

    def close(self) -> None:
        """Ends looking."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _facts(self) -> EngineFacts:
        if self._known is None:
            return EngineFacts("", "", "")
        for path in self._known.about:
            reply = self._ask(Call(self._root + path))
            try:
                told = wire.decoded(reply.body) if reply is not None else {}
            except Unusable:
                continue
            if version := wire.text(told.get(self._known.version)):
                dtype = wire.text(told.get(self._known.dtype)).removeprefix("torch.")
                return EngineFacts(self._known.name, version, "" if dtype == "auto" else dtype)
        return EngineFacts(self._known.name, "", "")

    def _watch(self) -> None:
        assert self._known is not None
        endpoint = self._opened()
        try:
            while True:
                page = _fetched(endpoint, Call(f"{self._root}/metrics"))
                text = "" if page is None else page.body.decode("utf-8", "replace")
                self._load = self._known.load(samples(text))
                if self._done.wait(EVERY):
                    return
        finally:
            self._load = UNKNOWN
            endpoint.close()

    def _ask(self, call: Call) -> Reply | None:
        endpoint = self._opened()
        try:
            return _fetched(endpoint, call)
        finally:
            endpoint.close()


def _fetched(endpoint: Endpoint, call: Call) -> Reply | None:
    """The reply with status 200; None for any other, and for none."""
    try:
        reply = endpoint.fetch(call)
    except ModelStopped:
        return None
    return reply if reply.status == 200 else None


def _count(page: Mapping[str, float], name: str) -> int | None:
    value = page.get(name)
    return int(value) if value is not None and math.isfinite(value) and value >= 0 else None
