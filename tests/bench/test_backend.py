"""What a wrong option of a backend is told."""

from __future__ import annotations

import pytest

from bench.backend import read_options, worded
from bench.models.openai import Options
from bench.records import UsageError

SECRET = "sk-0123456789abcdef"


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("api", SECRET, "option api should be one of chat, completions"),
        ("temperature", SECRET, "option temperature should be a number"),
        ("attempts", "1.5", "option attempts should be a whole number of at least 1"),
        ("attempts", "0", "option attempts should be a whole number of at least 1"),
        ("deadline", "-1", "option deadline should be a number above 0"),
        ("batch_api", SECRET, "option batch_api should be true or false"),
        ("base_url", 7, "option base_url should be a text"),
    ],
)
def test_a_wrong_value_is_told_what_would_be_right_and_stays_unsaid(name: str, value: object, right: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_options(Options, "openai:m", {name: value})
    assert str(caught.value).startswith(f"openai:m: {right}")
    assert SECRET not in str(caught.value)


def test_an_unknown_option_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"openai:m: no option 'temprature'.*temperature.*it has api, attempts, "):
        read_options(Options, "openai:m", {"temprature": "1"})


def test_text_is_read_as_the_type_that_is_wanted() -> None:
    read = read_options(Options, "openai:m", {"temperature": "0.5", "batch_api": "true", "attempts": "3"})
    assert (read.temperature, read.batch_api, read.attempts) == (0.5, True, 3)


def test_a_decoding_names_what_is_not_usual() -> None:
    assert worded("greedy", temperature=None, truncation="skip", seed=0) == "greedy|truncation:skip|seed:0"
