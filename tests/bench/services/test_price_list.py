"""The prices that are shipped, and how they are found."""

from __future__ import annotations

import re
from datetime import date

import msgspec
import pytest

from bench.services.price_list import Entry, Provider, find, parse, shipped

OPENAI = "https://api.openai.com/v1"
ENTRIES = [(provider, name, entry) for provider in shipped().providers for name, entry in provider.models.items()]


def ident(value: object) -> str | None:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(("provider", "name", "entry"), ENTRIES, ids=ident)
def test_every_price_is_one(provider: Provider, name: str, entry: Entry) -> None:
    assert name == name.strip().lower() and provider.hosts
    assert 0 < entry.input <= entry.output <= 20 * entry.input
    assert entry.cached_input is None or 0 < entry.cached_input <= entry.input
    assert (entry.batch_input is None) == (entry.batch_output is None)
    if entry.batch_input is not None and entry.batch_output is not None:
        assert entry.batch_input <= entry.input and entry.batch_output <= entry.output
    assert date(2025, 1, 1) < (entry.as_of or provider.as_of) <= shipped().version
    assert entry.until is None or entry.until > (entry.as_of or provider.as_of)
    if provider.snapshot:
        assert not re.search(rf"(?:{provider.snapshot})\Z", name), "a snapshot's name would hide this one"
        assert all(re.fullmatch(rf"{re.escape(name)}(?:{provider.snapshot})", other) for other in entry.other)
    for host in provider.hosts:
        found = find(f"https://{host}/v1", name, today=entry.until or shipped().version)
        assert found is not None and (found.input, found.currency) == (entry.input, provider.currency)


def test_no_host_stands_twice() -> None:
    hosts = [host for provider in shipped().providers for host in provider.hosts]
    assert len(hosts) == len(set(hosts)) and all(host == host.lower() for host in hosts)


def test_a_snapshot_costs_what_its_model_costs() -> None:
    assert find(OPENAI, "gpt-4o-2024-08-06") == find(OPENAI, "gpt-4o") is not None
    assert find("https://api.anthropic.com/v1", "claude-haiku-4-5-20251001") is not None
    assert find(OPENAI, "gpt-4o-2024-05-13") is None, "the first one costs more"
    assert find(OPENAI, "gpt-4o-latest") is None
    assert find(OPENAI, "gpt-4o-mini-2024-07-18") == find(OPENAI, "gpt-4o-mini")


def test_a_price_is_its_host_s_alone() -> None:
    for url in (
        "http://localhost:8000/v1",
        "https://api.openai.com.evil.example/v1",
        "https://openrouter.ai/api/v1",
        "",
    ):
        assert find(url, "gpt-4o") is None
    assert find("https://API.OpenAI.com:443/v1/", "gpt-4o") is not None
    assert find("https://api.mistral.ai/v1", "gpt-4o") is None


def test_a_batch_has_its_own_price() -> None:
    direct, batched = find(OPENAI, "gpt-4o-mini"), find(OPENAI, "gpt-4o-mini", batch=True)
    assert direct and batched and (batched.input, batched.output) == (direct.input / 2, direct.output / 2)
    assert find(OPENAI, "gpt-3.5-turbo") and find(OPENAI, "gpt-3.5-turbo", batch=True) is None


def test_a_price_that_is_announced_to_end_ends() -> None:
    google, model = "https://generativelanguage.googleapis.com/v1beta/openai", "gemini-3.8-flash"
    assert find(google, model, today=date(2026, 12, 31)) is not None
    assert find(google, model, today=date(2027, 1, 1)) is None


PROVIDER = (
    '[[providers]]\nhosts = ["a.b"]\ncurrency = "USD"\nas_of = 2026-01-01\nsource = "https://a.b"\n[providers.models]\n'
)


@pytest.mark.parametrize(
    "wrong",
    [
        "m = { input = 1.0 }",
        "m = { input = -1.0, output = 2.0 }",
        'm = { input = "1", output = 2.0 }',
        "m = { input = 1.0, output = 2.0, ouput = 3.0 }",
        'm = { input = 1.0, output = 2.0, as_of = "yesterday" }',
        "m = { input = 1.0, output = 2.0 }\nm = { input = 1.0, output = 2.0 }",
    ],
)
def test_a_file_with_a_mistake_is_refused(wrong: str) -> None:
    head = f"version = 2026-01-01\n{PROVIDER}"
    assert parse(f"{head}m = {{ input = 1.0, output = 2.0 }}".encode()).providers[0].models
    with pytest.raises(msgspec.DecodeError):
        parse(f"{head}{wrong}".encode())
