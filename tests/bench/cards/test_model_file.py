"""A model file: what it may say, and what is refused in one line."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import msgspec
import pytest

from bench.cards import file
from bench.cards.facts import Facts
from bench.models import PROVIDERS, Provider
from bench.prices import Price
from bench.records import UsageError

WHOLE = """
model = "openai:mistral-small-yoruba"

[options]
base_url = "http://localhost:8000/v1"
max_tokens = 300
nested = { list = [1, "two"] }

[facts]
licence = "Apache-2.0"
open_weights = false
parameters = 24_000_000_000
organisation = "A Lab"
country = "ng"
context = 32768
base = "mistralai/Mistral-Small-24B-Base-2501"
level = "language"
languages = ["yo", "Hausa", "yor_Latn"]
training_data = "described"
training_data_statement = "https://example.org/data"
released = 2025-11-01

[price]
input = 1
output = 2.5
cached_input = 0.25
currency = "EUR"
as_of = 2025-11-02
source = "https://example.org/prices"
"""


def put(folder: Path, text: str) -> Path:
    path = folder / "model.toml"
    path.write_text(text, "utf-8")
    return path


def refusal(folder: Path, text: str) -> str:
    """The one line with which a file is refused, without the file's name."""
    path = put(folder, text)
    with pytest.raises(UsageError) as refused:
        file.read(path)
    message = str(refused.value)
    assert "\n" not in message and message.startswith(f"{path}")
    return message.removeprefix(f"{path}").removeprefix(": ")


def of_facts(folder: Path, line: str) -> Facts:
    return file.read(put(folder, f'model = "openai:x"\n[facts]\n{line}\n')).facts


def test_a_whole_file(tmp_path: Path) -> None:
    made = file.read(put(tmp_path, WHOLE))
    assert made.model == "openai:mistral-small-yoruba"
    assert made.options == {
        "base_url": "http://localhost:8000/v1",
        "max_tokens": 300,
        "nested": {"list": [1, "two"]},
    }
    assert made.price == Price(1.0, 2.5, "EUR", "2025-11-02", "https://example.org/prices", cached_input=0.25)
    said = made.facts
    assert (said.licence, said.open_weights, said.parameters, said.context) == (
        "apache-2.0",
        False,
        24_000_000_000,
        32768,
    )
    assert (said.organisation, said.country, said.level, said.released) == ("A Lab", "NG", "language", "2025-11-01")
    assert said.base == ("mistralai/Mistral-Small-24B-Base-2501",)
    assert said.languages == ("yor_Latn", "hau_Latn")
    assert (said.training_data, said.training_data_statement) == ("described", "https://example.org/data")
    assert set(said.origin.values()) == {"model file"} and not said.reasons
    assert said.origin.keys() == {name for name in Facts.__slots__ if getattr(said, name) not in (None, (), {})} - {
        "origin"
    }


def test_a_file_with_a_name_alone(tmp_path: Path) -> None:
    made = file.read(put(tmp_path, 'model = "hf:owner/name"'))
    assert (made.model, made.options, made.facts, made.price) == ("hf:owner/name", {}, Facts(), None)


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("parameters = 7.24e9", "parameters", 7_240_000_000),
        ("released = '2025-11'", "released", "2025-11"),
        ("base = ['a/b', '/home/me/models/c/', 'a/b']", "base", ("a/b", "c")),
        ("country = 'XK'", "country", "XK"),
        ("languages = ['zho_Hans']", "languages", ("zho_Hans",)),
    ],
)
def test_other_ways_to_say_it(tmp_path: Path, line: str, field: str, value: object) -> None:
    assert getattr(of_facts(tmp_path, line), field) == value


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("parameters = 'many'", "[facts] parameters should be a whole number above 0, such as 24_000_000_000"),
        ("parameters = 0", "[facts] parameters should be a whole number above 0"),
        ("parameters = 1.5", "[facts] parameters should be a whole number above 0"),
        ("parameters = inf", "[facts] parameters should be a whole number above 0"),
        ("parameters = true", "[facts] parameters should be a whole number above 0"),
        ("context = -1", "[facts] context should be a whole number of tokens above 0"),
        ("open_weights = 'yes'", "[facts] open_weights should be true or false"),
        ("licence = ['mit']", "[facts] licence should be an SPDX or hub identifier"),
        ("licence = ''", "[facts] licence should be an SPDX or hub identifier"),
        ("level = 'langauge'", "[facts] level should be one of general, language, vertical, institution"),
        ("training_data = 'closed'", "[facts] training_data should be one of open, described, undisclosed"),
        ("base = []", "[facts] base should be the name of the model"),
        ("base = [1]", "[facts] base should be the name of the model"),
        ("languages = 'yo'", "[facts] languages should be a list of codes"),
        ("languages = [7]", "[facts] languages should be a list of codes"),
        ("languages = ['zh']", "[facts] languages: 'zh' is ambiguous: zho_Hans"),
        ("languages = ['Yoruuba']", "did you mean Yoruba (yor_Latn)?"),
        ("country = 'Nigeria'", "two letters, such as 'NG': Nigeria is 'NG'"),
        ("country = 'EU'", "[facts] country should be an ISO 3166 code of two letters, such as 'NG', and 'EU' is none"),
        ("country = 'UK'", "'UK' is none"),
        ("released = '2025'", "[facts] released should be a day or month, such as 2025-11-01"),
        ("released = '2025-13'", "[facts] released should be a day or month"),
        ("released = 2025-11-01T10:00:00Z", "[facts] released should be a day or month"),
        ("released = 2025", "[facts] released should be a day or month"),
        ("license = 'mit'", "[facts] has no field 'license'; did you mean 'licence'?; it has base, context"),
        ("model = 'openai:x'", "[facts] has no field 'model'; it belongs at the top, before the first table"),
        ("input = 1", "[facts] has no field 'input'; it belongs under [price]"),
    ],
)
def test_facts_that_are_refused(tmp_path: Path, line: str, said: str) -> None:
    assert said in refusal(tmp_path, f'model = "openai:x"\n[facts]\n{line}\n')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "model is missing; it should be provider:model"),
        ("model = 3", "model should be provider:model"),
        ("model = 'mistral'", "model: unknown model 'mistral'; a model is one of baseline:"),
        ("model = 'opnai:x'", "did you mean 'openai'?"),
        ("model = 'openai: '", "model: nothing after 'openai'"),
        ("model = 'other.toml'", "model: unknown model 'other.toml'"),
        ("model = 'openai:x'\nlicence = 'mit'", "the file has no field 'licence'; it belongs under [facts]"),
        ("model = 'openai:x'\nfact = {}", "the file has no field 'fact'; did you mean 'facts'?"),
        ("model = 'openai:x'\nfacts = 3", "facts should be a table, [facts]"),
        ("model = 'openai:x'\noptions = []", "options should be a table, [options]"),
        ("model = 'openai:x'\nprice = 3", "price should be a table, [price]"),
        ("model = ", " is no TOML: Invalid value"),
        ("[" * 3000, " is no TOML"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text)


PRICE = {"input": "1", "output": "2", "currency": "'EUR'", "as_of": "2025-11-02", "source": "'somewhere'"}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("output", None, "[price] output is missing; it should be a number, 0 or more, per million tokens"),
        ("as_of", None, "[price] as_of is missing; it should be the day on which the price was read"),
        ("input", "-1", "[price] input should be a number, 0 or more"),
        ("input", "nan", "[price] input should be a number, 0 or more"),
        ("cached_input", "inf", "[price] cached_input should be a number, 0 or more"),
        ("input", "'1'", "[price] input should be a number, 0 or more"),
        ("input", "true", "[price] input should be a number, 0 or more"),
        ("currency", "'euro'", "[price] currency should be an ISO 4217 code"),
        ("as_of", "'yesterday'", "[price] as_of should be the day"),
        ("as_of", "2025-11-02T00:00:00", "[price] as_of should be the day"),
        ("up_to", "'all'", "[price] up_to should be a number of tokens"),
        ("up_to", "1.5", "[price] up_to should be a number of tokens"),
        ("source", "' '", "[price] source should be where the price is to be read"),
        ("inputs", "1", "[price] has no field 'inputs'; did you mean 'input'"),
    ],
)
def test_prices_that_are_refused(tmp_path: Path, name: str, value: str | None, said: str) -> None:
    lines = [f"{key} = {text}" for key, text in {**PRICE, name: value}.items() if text is not None]
    assert said in refusal(tmp_path, "\n".join(["model = 'openai:x'", "[price]", *lines]))


def test_every_field_of_a_price_can_be_given(tmp_path: Path) -> None:
    more = {one.name: "0.5" if "float" in str(one.type) else "7" for one in fields(Price) if one.name not in PRICE}
    lines = [f"{key} = {text}" for key, text in {**PRICE, **more}.items()]
    price = file.read(put(tmp_path, "\n".join(["model = 'openai:x'", "[price]", *lines]))).price
    assert price is not None
    assert {name: getattr(price, name) for name in more} == {name: float(text) for name, text in more.items()}


# Secrets.


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("api_key = 'x'", "[options] api_key"),
        ("API-KEY = 'x'", "[options] API-KEY"),
        ("key = 'x'", "[options] key"),
        ("token = ''", "[options] token"),
        ("hf_token = 'x'", "[options] hf_token"),
        ("password = 1", "[options] password"),
        ("headers = { Authorization = 'x' }", "[options] headers Authorization"),
        ("headers = { x-api-key = 'x' }", "[options] headers x-api-key"),
        ("headers = { Other = 'Bearer abcdefghij' }", "[options] headers Other"),
        ("list = [{ deep = { secret = 1 } }]", "[options] list deep secret"),
        ("anything = 'sk-proj-abcdefghijklmnop1234'", "[options] anything"),
        ("anything = 'see hf_abcdefghijklmnopqrst'", "[options] anything"),
        ("base_url = 'https://me:pa55word@example.org/v1'", "[options] base_url"),
        ("base_url = 'https://example.org/v1?api_key=abcdef'", "[options] base_url"),
        ('extra = \'{"api_key": "abcdef"}\'', "[options] extra"),
        ("jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl'", "[options] jwt"),
    ],
)
def test_a_secret_is_refused_and_never_repeated(tmp_path: Path, line: str, place: str) -> None:
    said = refusal(tmp_path, f"model = 'openai:x'\n[options]\n{line}\n")
    assert said.startswith(f"{place} looks like a secret")
    assert "environment" in said and "NAME_FILE" in said
    for value in ("abcdef", "pa55word", "eyJ"):
        assert value not in said


def test_a_secret_anywhere_else_is_refused_too(tmp_path: Path) -> None:
    key = "sk-abcdefghijklmnopqrstuvwx"
    assert key not in refusal(tmp_path, f"model = 'command:ask --key {key}'")
    assert key not in refusal(tmp_path, f"model = 'openai:x'\n[facts]\ntraining_data_statement = '{key}'")
    assert "api_key looks like a secret" in refusal(tmp_path, f"model = 'openai:x'\napi_key = '{key}'")


@pytest.mark.parametrize(
    "line",
    [
        "max_tokens = 5",
        "key_env = 'MY_KEY'",
        "api_key_file = 'path/of/a/file'",
        "tokenizer = 'owner/name'",
        "reasoning_tokens = 0",
        "revision = '0123456789abcdef0123456789abcdef01234567'",
        "base_url = 'https://example.org:8000/v1?api-version=2025-01-01'",
        "text = 'risk-management-and-so-on-and-on'",
    ],
)
def test_what_is_no_secret_is_taken(tmp_path: Path, line: str) -> None:
    assert file.read(put(tmp_path, f"model = 'openai:x'\n[options]\n{line}\n")).options


@pytest.mark.parametrize("backend", PROVIDERS.values(), ids=PROVIDERS)
def test_no_backend_has_an_option_that_would_be_refused(tmp_path: Path, backend: Provider) -> None:
    module = pytest.importorskip(backend.module, reason=f"{backend.name} does not import here")
    kind = getattr(module, "Options", None)
    for option in msgspec.structs.fields(kind) if kind else ():
        assert file.read(put(tmp_path, f"model = 'openai:x'\n[options]\n{option.encode_name} = 'x'\n")).options


# What -m takes.


def test_a_text_that_ends_in_toml_is_a_file(tmp_path: Path) -> None:
    path = put(tmp_path, WHOLE)
    chosen = file.resolve(str(path))
    assert (chosen.name, chosen.source) == ("openai:mistral-small-yoruba", path)
    assert chosen.options["max_tokens"] == 300 and chosen.price and chosen.facts.level == "language"


@pytest.mark.parametrize("name", ["hf:owner/name", "baseline", "command:translate --config a.toml", "hf:a.toml", ""])
def test_any_other_text_is_a_name(name: str) -> None:
    assert file.resolve(name) == file.Chosen(name)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read model file .*none\.toml: No such file"):
        file.resolve(str(tmp_path / "none.toml"))
    with pytest.raises(UsageError, match="cannot read model file .*: Is a directory"):
        (tmp_path / "folder.toml").mkdir()
        file.resolve(str(tmp_path / "folder.toml"))
    path = tmp_path / "latin.toml"
    path.write_bytes('model = "openai:é"'.encode("latin-1"))
    with pytest.raises(UsageError, match="is no TOML"):
        file.resolve(str(path))


def test_of_every_field_it_is_said_what_would_be_right() -> None:
    for table, names in file._TABLES.items():
        for name in names:
            assert file._expected(f"{table}.{name}".lstrip("."))
