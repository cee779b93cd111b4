"""Requests and replies that the tests of the services share."""

from __future__ import annotations

import json
from typing import Any

from bench.backend import Settings
from bench.records import Mode, Request
from bench.services.calls import Reply


def asked(
    prompt: str,
    mode: Mode = "generate",
    continuations: tuple[str, ...] = (),
    *,
    max_tokens: int = 64,
    stop: tuple[str, ...] = (),
    name: str = "",
) -> Request:
    """A request as the core makes one."""
    return Request(
        id=name or f"{mode}:{prompt}"[:200],
        sample="",
        task="t",
        language="amh_Ethi",
        variety="",
        mode=mode,
        prompt=prompt,
        continuations=continuations,
        max_tokens=max_tokens if mode == "generate" else 0,
        stop=stop,
        input="",
        options=(),
    )


def reply(content: object, status: int = 200) -> Reply:
    """What a service sends: JSON, or bytes as they are."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Reply(status, {}, body, 0.25, 3)


def no_training(task: str, language: str, variety: str) -> list[Any]:
    """Services need none."""
    return []


def settings(url: str, *, reasoning_tokens: int = 0, batch: int | None = None, **options: Any) -> Settings:
    """What a user sets, for the service at an address; `base_url=None` leaves that to the environment."""
    given = {"base_url": url, "patience": "2", "attempts": "2", **options}
    given = {name: value for name, value in given.items() if value is not None}
    return Settings(no_training, batch=batch, timeout=20, reasoning_tokens=reasoning_tokens, options=given)
