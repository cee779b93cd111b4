"""Small Llamas, loaded into vLLM's engine one after the other: each load takes about a minute."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.backend import Model
from bench.models import Settings, load
from tests.fixtures_llama import CHAT_TEMPLATE, build_llama

Opened = Callable[..., Model]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without vLLM there is nothing to test here. With it, the garbage collector closes its sockets, with warnings."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))
            if importlib.util.find_spec("vllm") is None:
                item.add_marker(pytest.mark.skip(reason="needs vllm: make test-vllm"))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model."""
    return build_llama(tmp_path_factory.mktemp("models") / "base", heads=2)


@pytest.fixture(scope="session")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another one, with a chat template."""
    return build_llama(tmp_path_factory.mktemp("models") / "chat", heads=2, chat_template=CHAT_TEMPLATE, seed=1)


def settings(
    batch: int | None = None, reasoning_tokens: int = 0, measured: bool = False, **options: object
) -> Settings:
    """What a user would set."""
    return Settings(
        lambda task, language, variety: [],
        batch,
        reasoning_tokens=reasoning_tokens,
        options=options,
        measured=measured,
    )


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    """Opens models by name, and closes them at the end of the module."""
    import torch

    torch.set_num_threads(1)  # enough for transformers and a model this small
    models: list[Model] = []

    def open_one(name: str, **given: object) -> Model:
        models.append(load(name, settings(**given)))  # type: ignore[arg-type]
        return models[-1]

    yield open_one
    for model in models:
        model.close()
