"""The models of `openai:`: one that may show its tokenizer, and one whose server is at hand and can be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bench.backend import EngineFacts, Load, ModelStopped
from bench.models.openai_engine import Server
from bench.models.shortening import beginning
from bench.records import Request, Response
from bench.services import wire
from bench.services.calls import Call, Dialect, Reply, Unusable
from bench.services.endpoint import Endpoint
from bench.services.probing import question
from bench.services.service import Described, ServiceModel


class OpenAI(ServiceModel):
    """A model behind OpenAI's protocol. `address` is the server's without the path of the protocol."""

    def __init__(
        self,
        described: Described,
        endpoint: Endpoint,
        dialect: Dialect,
        served: wire.Served,
        *,
        address: str,
        model: str,
        **more: Any,
    ) -> None:
        super().__init__(described, endpoint, dialect, served, **more)
        self._counting = Counting(f"{address}/tokenize", model)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text by the server's `/tokenize`. Raises `ModelStopped` where there is none."""
        counts: dict[str, int] = {}
        asked = (_named(str(number), text) for number, text in enumerate(texts))
        for response in self._endpoint.respond(self._counting, asked):
            if response.prompt_tokens is None:
                raise ModelStopped(
                    f"{self.name}: the service does not count tokens ({response.reason}); "
                    "vLLM, SGLang and llama.cpp have /tokenize, and -m hf:FOLDER reads a tokenizer's files"
                )
            counts[response.request] = response.prompt_tokens
        return [counts[str(number)] for number in range(len(texts))]

    def shortened(self, text: str, tokens: int) -> str:
        """The text's beginning that has at most so many tokens. Raises `ModelStopped`."""
        return beginning(text, tokens, lambda part: self.count_tokens([part])[0])


class MeasuredOpenAI(OpenAI):
    """The same with its server on a machine whose energy can be measured."""

    def __init__(self, *given: Any, server: Server, **more: Any) -> None:
        super().__init__(*given, **more)
        self.engine: EngineFacts = server.facts
        self._server = server

    def load(self) -> Load:
        """What the server's page of metrics said at most some seconds ago."""
        return self._server.load()

    def forget(self) -> None:
        """Asks the server to empty its cache of prompts."""
        self._server.forget()

    def close(self) -> None:
        """Closes connections, and looks at the server no more."""
        self._server.close()
        super().close()


class Counting:
    """The dialect of `/tokenize`: vLLM and SGLang take `prompt`, llama.cpp takes `content`; each ignores the other."""

    def __init__(self, url: str, model: str) -> None:
        self._url = url
        self._model = model

    def call(self, request: Request) -> Call:
        """The text as HTTP."""
        text = request.prompt
        return wire.call(
            self._url,
            {
                "model": self._model,
                "prompt": text,
                "content": text,
                "add_special_tokens": False,
                "add_special": False,
            },
        )

    def read(self, request: Request, reply: Reply) -> Response:
        """The number of tokens, as that of a prompt. Raises `Unusable`."""
        whole = wire.decoded(reply.body)
        tokens = whole.get("tokens")
        count = len(tokens) if isinstance(tokens, list) else wire.count(whole.get("count"))
        if count is None:
            raise Unusable("no_tokens")
        return Response(request.id, "ok", prompt_tokens=count)

    def refused(self, request: Request, reply: Reply) -> Response:
        """No number."""
        return Response(request.id, "error", reason=f"http_{reply.status}")


def _named(name: str, text: str) -> Request:
    return replace(question(text, 0), id=name)
