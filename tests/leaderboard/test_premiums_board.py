"""Tokenizer premiums on the board: from run files and files of their own, on every page that speaks of tokens."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from bench import session
from bench.premium.files import FIGURES, write
from bench.premium.records import Premium, Premiums
from bench.prices import Price
from bench.records import BenchError, UsageError
from bench.runfile import RunFile
from bench.runfile_records import Identity
from leaderboard import energy_wording, reading, snapshot
from leaderboard.app import create_app
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences
from tests.leaderboard.markup import check, tables, words
from tests.leaderboard.powered import as_json, describe, premium, premiums

GOOD = premiums({"yor_Latn": 2100, "pes_Arab": 1500, "amh_Ethi": 5400})
OTHER = premiums({"yor_Latn": 3000, "pes_Arab": 1750}, "tiktoken:other")


def run(path: Path, *found: Premiums, name: str = "a", **facts: object) -> Path:
    blocks = [sentences("yor_Latn")]
    made = run_sib200(path / f"{name}.run.db", Scripted(f"hf:{name}", knows(8)), blocks)
    if found:
        describe(made, premiums=as_json(*found), **facts)
        with RunFile.open(made, Identity(f"hf:{name}", "1", "none", "greedy")) as kept:
            session.rescore(kept, blocks)
    return made


def file(path: Path, found: Premiums, name: str = "a") -> Path:
    made = path / f"{name}.premium.json"
    write(found, made)
    return made


def page(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    check(answer.get_data(as_text=True))
    return answer.get_data(as_text=True)


@pytest.fixture
def visitor(tmp_path: Path) -> FlaskClient:
    """A board with two tokenizers, one from a run and one from a file."""
    publish([run(tmp_path, GOOD)], tmp_path / "board", [file(tmp_path, OTHER)])
    return create_app(tmp_path / "board").test_client()


def test_premiums_come_from_runs_and_from_files_alike(tmp_path: Path) -> None:
    board = tmp_path / "board"
    info = publish([run(tmp_path, GOOD)], board, [file(tmp_path, OTHER)])
    assert info.premiums == ("hf-maker-good-ntrex-from-eng", "tiktoken-other-ntrex-from-eng")
    with snapshot.connect(board, info.snapshot) as connection:
        read = reading.read_premiums(connection)
    assert {name: in_order(each) for (name, *_), each in read.items()} == {
        "hf:maker/good": in_order(GOOD),
        "tiktoken:other": in_order(OTHER),
    }
    only = publish([run(tmp_path, name="b")], tmp_path / "b", [file(tmp_path, GOOD), file(tmp_path, OTHER, "b")])
    assert only.premiums == info.premiums and only.snapshot != info.snapshot
    assert publish([], board, [file(tmp_path, GOOD)]).changed is False


def in_order(found: Premiums) -> Premiums:
    """With the languages by code."""
    return replace(found, languages=tuple(sorted(found.languages, key=lambda one: one.language)))


def test_premiums_are_part_of_the_hash_whatever_order_they_come_in(tmp_path: Path) -> None:
    one, two = file(tmp_path, GOOD, "one"), file(tmp_path, OTHER, "two")
    made = run(tmp_path)
    first = publish([made], tmp_path / "a", [one, two]).snapshot
    assert publish([made], tmp_path / "b", [two, one]).snapshot == first
    publish([made], tmp_path / "c", [two])
    assert publish([], tmp_path / "c", [one]).snapshot == first
    backwards = replace(GOOD, languages=GOOD.languages[::-1])
    assert publish([made], tmp_path / "d", [file(tmp_path, backwards, "back"), two]).snapshot == first
    assert publish([made], tmp_path / "e", [one]).snapshot != first


def test_the_newest_premiums_of_a_tokenizer_replace_the_old(tmp_path: Path) -> None:
    board = tmp_path / "board"
    publish([run(tmp_path)], board, [file(tmp_path, GOOD)])
    newer = premiums({"yor_Latn": 2200})
    publish([], board, [file(tmp_path, newer, "newer")])
    told = create_app(board).test_client().get("/tokens/hf-maker-good-ntrex-from-eng.json").get_json()
    assert [row["premium"]["premium"] for row in told["rows"]] == [1.0, 2.2]


def test_the_same_premiums_in_fewer_languages_take_none_away(tmp_path: Path) -> None:
    board, made = tmp_path / "board", run(tmp_path)
    whole = publish([made], board, [file(tmp_path, GOOD)])
    fewer = premiums({"yor_Latn": 2100}, gini=0.1)
    assert publish([], board, [file(tmp_path, fewer, "fewer")]).snapshot == whole.snapshot
    both = [file(tmp_path, fewer, "fewer"), file(tmp_path, GOOD)]
    assert publish([made], tmp_path / "b", both).snapshot == whole.snapshot


def test_two_words_on_one_tokenizer_are_refused(tmp_path: Path) -> None:
    clash = premiums({"yor_Latn": 2200})
    with pytest.raises(UsageError, match="have different premiums of hf:maker/good on ntrex-from-eng") as refused:
        publish([run(tmp_path, GOOD)], tmp_path / "board", [file(tmp_path, clash)])
    assert "\n" not in str(refused.value) and not (tmp_path / "board").exists()
    newer = premiums({"yor_Latn": 2100}, revision="other")
    publish([run(tmp_path, GOOD)], tmp_path / "board", [file(tmp_path, newer)])
    told = create_app(tmp_path / "board").test_client().get("/tokens.json").get_json()
    slugs = [one["slug"] for one in told["tokenizers"]]
    assert len(slugs) == 2 and all(slug.startswith("hf-maker-good-ntrex-from-eng-") for slug in slugs)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ({"a": 1}, "its premiums are no list"),
        ([1], "no tokenizer premiums as `tokens` writes them"),
        ([{**as_json(GOOD)[0], "gini": 2.0}], "gini 2.0 should be from 0 to 1"),
        (
            [{**as_json(GOOD)[0], "languages": [{**asdict(premium("yor_Latn", 2000)), "premium": 1.0}]}],
            "should be 2000",
        ),
    ],
)
def test_a_run_with_premiums_that_cannot_be_is_refused(tmp_path: Path, kept: object, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        publish([describe(run(tmp_path), premiums=kept)], tmp_path / "board")
    assert "a.run.db" in str(refused.value) and "\n" not in str(refused.value)


def asked_of_a_model(found: Premiums, *codes: str, revision: str = "whole folder") -> Premiums:
    """As a run has them: other hashes, fewer languages, and no word on which tokens a text has."""
    unseen = dict.fromkeys(("unknown", "fallback"), "tokens_unseen")
    rows = tuple(
        replace(one, unknown=None, fallback=None, reasons=unseen) for one in found.languages if one.language in codes
    )
    return replace(found, revision=revision, corpus_revision="of fewer files", gini=0.1, languages=rows)


def test_a_model_and_its_tokenizer_file_that_count_alike_are_one_tokenizer(tmp_path: Path) -> None:
    price = asdict(Price(2.0, 8.0, "USD", "2026-01-02", "https://prices.example"))
    made = run(tmp_path, asked_of_a_model(GOOD, "yor_Latn"), price=price)
    info = publish([made], tmp_path / "board", [file(tmp_path, GOOD)])
    assert info.premiums == ("hf-maker-good-ntrex-from-eng",)
    visitor = create_app(tmp_path / "board").test_client()
    (one,) = visitor.get("/tokens.json").get_json()["tokenizers"]
    assert (one["slug"], one["revision"], one["languages"]) == ("hf-maker-good-ntrex-from-eng", "abc123", 3)
    (table,) = visitor.get("/costs.json").get_json()["tables"]
    assert [each["model"]["name"] for each in table["columns"][0]["priced"]] == ["hf:a"]
    assert len(visitor.get("/languages/yor_Latn.json").get_json()["premiums"]) == 1
    publish([], tmp_path / "later", [file(tmp_path, GOOD)])
    assert publish([made], tmp_path / "later").snapshot == info.snapshot


def test_a_model_that_counts_otherwise_than_the_file_stands_beside_it_under_its_revision(tmp_path: Path) -> None:
    other = asked_of_a_model(premiums({"yor_Latn": 2101}), "yor_Latn")
    publish([run(tmp_path, other)], tmp_path / "board", [file(tmp_path, GOOD)])
    visitor = create_app(tmp_path / "board").test_client()
    assert len(visitor.get("/tokens.json").get_json()["tokenizers"]) == 2
    text = page(visitor, "/languages/yor_Latn")
    (rows,) = [rows for rows in tables(text) if rows[0].startswith("Tokenizer")]
    assert sorted(re.findall("revision (whole folder|abc123)", " ".join(rows))) == ["abc123", "whole folder"]
    costs = words(page(visitor, "/costs"))
    assert "ntrex-from-eng, 1 language beside" in costs and "ntrex-from-eng, 3 languages beside" in costs


def test_flawed_text_is_marked_wherever_its_premium_stands(tmp_path: Path) -> None:
    burmese = premium("mya_Mymr", 4840, reasons={"fallback": "no_such_token", "text": "legacy_encoding"})
    found = replace(GOOD, languages=(*GOOD.languages, burmese))
    publish([run(tmp_path)], tmp_path / "board", [file(tmp_path, found)])
    visitor = create_app(tmp_path / "board").test_client()
    for place in ("/costs", "/tokens/hf-maker-good-ntrex-from-eng", "/languages/mya_Mymr"):
        said = words(page(visitor, place))
        assert "4.84 *" in said, place
        assert "* Burmese: the dataset's text in this language is in a legacy encoding, not in Unicode" in said, place
    assert "*" not in words(page(visitor, "/languages/yor_Latn"))
    every = [row for rows in tables(page(visitor, "/languages/?q=mya")) for row in rows]
    assert [row[-6:] for row in every if "4.84" in row] == ["4.84 *"]


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.premium.json").write_text("{}")
    with pytest.raises(BenchError, match=re.escape("a.premium.json")):
        publish([], tmp_path / "board", [tmp_path / "a.premium.json"])


def test_the_list_of_tokenizers_sums_them_up(visitor: FlaskClient) -> None:
    good, other = visitor.get("/tokens.json").get_json()["tokenizers"]
    assert (good["languages"], good["median"], good["highest"], good["gini"]) == (3, 2.1, 5.4, 0.21)
    assert good["p90"] == pytest.approx(2.1 + 0.8 * (5.4 - 2.1))
    assert other["name"] == "tiktoken:other"
    (rows,) = tables(page(visitor, "/tokens"))
    assert "2.10" in rows[1] and "5.40" in rows[1] and "0.21" in rows[1]


def test_a_tokenizer_has_a_plot_and_its_twin_in_numbers(visitor: FlaskClient) -> None:
    text = page(visitor, "/tokens/hf-maker-good-ntrex-from-eng")
    assert '<svg xmlns="http://www.w3.org/2000/svg" class="premium-plot"' in text
    (rows,) = tables(text)
    assert [row.split()[0] for row in rows[1:]] == ["English", "Iranian", "Yoruba", "Amharic"]
    assert "2.10" in rows[3] and "52.5" in rows[3] and "2.04 to 2.16" in rows[3]
    (sheet,) = [a["href"] for tag, a in check(text) if tag == "link" and "premium-plot" in (a["href"] or "")]
    assert b".premium-whisker" in visitor.get(sheet or "").data
    assert "no such tokens" in words(text)


def test_what_a_sentence_costs_in_my_language(visitor: FlaskClient) -> None:
    (rows,) = tables(page(visitor, "/costs"))
    assert [row.split()[0] for row in rows[1:]] == ["Amharic", "English", "Iranian", "Yoruba"]
    assert "5.40 135.0 tokens not counted" in rows[1]
    assert "2.10 52.5 tokens 3.00 75.0 tokens" in rows[4]
    (mine,) = visitor.get("/costs.json?language=yor_Latn").get_json()["tables"]
    assert [row["language"]["code"] for row in mine["rows"]] == ["yor_Latn"]
    assert "No language like “klingon”" in words(page(visitor, "/costs?language=klingon"))


def test_money_where_a_model_says_its_price_and_its_tokenizer(tmp_path: Path) -> None:
    price = asdict(Price(2.0, 8.0, "USD", "2026-01-02", "https://prices.example"))
    priced = run(tmp_path, GOOD, name="priced", price=price)
    publish([priced, run(tmp_path, OTHER, name="free")], tmp_path / "board")
    visitor = create_app(tmp_path / "board").test_client()
    (rows,) = tables(page(visitor, "/costs"))
    # 52.5 tokens a sentence, a thousand sentences: 0.0525 million tokens.
    assert "USD 0.105 to read, 0.420 to write 1,000 sentences" in rows[4]
    assert rows[4].count("USD") == 1 and "hf:priced" in rows[4]
    for broken in ({**price, "input": float("inf")}, {**price, "input": "much"}, [1]):
        with pytest.raises(UsageError):
            publish([describe(priced, price=broken)], tmp_path / "board")


def test_language_pages_and_the_list_have_the_premium(visitor: FlaskClient) -> None:
    text = page(visitor, "/languages/yor_Latn")
    (rows,) = [rows for rows in tables(text) if rows[0].startswith("Tokenizer")]
    assert "hf:maker/good" in rows[1] and "2.10" in rows[1] and "3.00" in rows[2]
    assert 'href="/costs?language=yor_Latn"' in text
    assert "No tokenizer has been counted in Hausa yet." in words(page(visitor, "/languages/hau_Latn"))
    found = [page(visitor, f"/languages/?q={name}") for name in ("yor_Latn", "Amharic")]
    every = [row for text in found for rows in tables(text) for row in rows]
    (yoruba,) = [row for row in every if "Èdè Yorùbá" in row]
    assert yoruba.endswith("2.10 to 3.00")
    (amharic,) = [row for row in every if "አማርኛ" in row]
    assert amharic.endswith("5.40")


def test_a_missing_premium_says_why_on_every_page(tmp_path: Path) -> None:
    why = "too_many_unknown"
    nothing: dict[str, Any] = dict.fromkeys(FIGURES)
    reasons = dict.fromkeys(FIGURES, why)
    lost = Premium("hau_Latn", "", sentences=0, tokens=0, english_tokens=0, reasons=reasons, **nothing)
    found = replace(GOOD, languages=(*GOOD.languages, lost), gini=None)
    publish([run(tmp_path)], tmp_path / "board", [file(tmp_path, found)])
    visitor = create_app(tmp_path / "board").test_client()
    for place in ("/tokens/hf-maker-good-ntrex-from-eng", "/costs", "/languages/hau_Latn"):
        said = words(page(visitor, place))
        assert energy_wording.why(why) in said and not re.search(r"(?<![\d.])0\.0+(?!\d)", said), place
    assert "not stated" in words(page(visitor, "/tokens"))
    told = visitor.get("/tokens/hf-maker-good-ntrex-from-eng.json").get_json()
    assert told["rows"][-1]["premium"]["premium"] is None


def test_hostile_names_of_tokenizers_are_text(tmp_path: Path) -> None:
    attack = '<img src=x onerror="alert(1)"><script>'
    publish([run(tmp_path)], tmp_path / "board", [file(tmp_path, replace(GOOD, tokenizer=attack, corpus=attack))])
    visitor = create_app(tmp_path / "board").test_client()
    (one,) = visitor.get("/tokens.json").get_json()["tokenizers"]
    for place in ("/tokens", f"/tokens/{one['slug']}", "/costs", "/languages/yor_Latn"):
        text = page(visitor, place)
        assert "<img" not in text and "<script" not in text and "&lt;script&gt;" in text


def test_no_tokenizer_at_all_is_said(client: FlaskClient) -> None:
    for place in ("/tokens", "/costs"):
        assert "No tokenizer has been counted yet." in words(page(client, place))
    answer = client.get("/tokens/hf-maker-good")
    assert answer.status_code == 404
    check(answer.get_data(as_text=True))


def test_an_address_nearly_right_leads_on(visitor: FlaskClient) -> None:
    answer = visitor.get("/tokens/hf-maker-good-ntrex")
    assert answer.status_code == 404
    assert 'href="/tokens/hf-maker-good-ntrex-from-eng"' in answer.get_data(as_text=True)


def test_the_picture_is_in_no_json(visitor: FlaskClient) -> None:
    assert "svg" not in json.dumps(visitor.get("/tokens/hf-maker-good-ntrex-from-eng.json").get_json())
