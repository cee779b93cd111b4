"""Models that the tests of the backends share, built once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fixtures_llama import CHAT_TEMPLATE, build_llama

# Before anything imports huggingface_hub, which reads it once.
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base model: no chat template."""
    pytest.importorskip("torch", reason="needs the extra `hf`")
    pytest.importorskip("transformers", reason="needs the extra `hf`")
    return build_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def chat_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model with a chat template."""
    pytest.importorskip("torch", reason="needs the extra `hf`")
    pytest.importorskip("transformers", reason="needs the extra `hf`")
    return build_llama(tmp_path_factory.mktemp("chat_llama"), chat_template=CHAT_TEMPLATE)
