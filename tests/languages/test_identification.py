"""The language identifier: what it guesses, its table of recall, its build, a fastText model in its place."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from languages import all_languages, identification, identifier_build
from languages.identification import IdentifierError, identify, model, recall, recalls
from languages.identifier_texts import COMMITS, OTHER_TEXT, read_ntrex, read_sib200
from tests.hostile import segments

SAMPLES = {
    "eng_Latn": "The children walked slowly to the river because their mother was waiting there.",
    "deu_Latn": "Die Kinder gingen langsam zum Fluss, weil ihre Mutter dort auf sie wartete.",
    "swh_Latn": "Watoto walitembea polepole kuelekea mtoni kwa sababu mama yao alikuwa akiwasubiri huko.",
    "yor_Latn": "Àwọn ọmọ náà rìn lọ sí odò nítorí pé ìyá wọn ń dúró dè wọ́n níbẹ̀.",
    "fin_Latn": "Lapset kävelivät hitaasti joelle, koska heidän äitinsä odotti heitä siellä.",
    "rus_Cyrl": "Дети медленно шли к реке, потому что их мать ждала там.",
    "ukr_Cyrl": "Діти повільно йшли до річки, бо їхня мати чекала там.",
    "ell_Grek": "Τα παιδιά περπάτησαν αργά προς το ποτάμι.",
    "jpn_Jpan": "子供たちは母が待っていたので、ゆっくりと川まで歩いていった。",
    "kor_Hang": "아이들은 어머니가 기다리고 있었기 때문에 천천히 강으로 걸어갔다.",
}


def test_plain_sentences_are_told_apart() -> None:
    found = identify(list(SAMPLES.values()))
    assert [guess.language for guess in found] == list(SAMPLES)
    assert all(guess.margin > 5 for guess in found)


def test_a_script_of_one_language_needs_no_letters_more() -> None:
    (guess,) = identify(["ναι"])
    assert guess.language == "ell_Grek" and math.isinf(guess.margin)


@pytest.mark.parametrize(
    "text", ["", " \n\t", "12 345,6 %", "?!…", "🧬👩\u200d👩", "\ud800", "\u200d\u202e", "ᚠᚢᚦ", "'''"]
)
def test_what_has_no_known_letters_is_no_language(text: str) -> None:
    (guess,) = identify([text])
    assert guess.language == ""


def test_nothing_comes_of_nothing() -> None:
    assert identify([]) == []


@given(st.lists(segments, max_size=8), st.randoms(use_true_random=False))
def test_a_text_is_judged_alone(texts: list[str], drawn: object) -> None:
    together = identify(texts)
    assert together == [identify([text])[0] for text in texts]
    assert all(guess.margin >= 0 for guess in together)


@given(st.text(st.characters(), max_size=60))
def test_every_guess_is_a_language_of_the_registry(text: str) -> None:
    (guess,) = identify([text])
    assert guess.language in {"", *(language.code for language in all_languages())}


def test_a_text_longer_than_a_block_adds_up() -> None:
    (short,), (long,) = identify([SAMPLES["deu_Latn"]]), identify([" ".join([SAMPLES["deu_Latn"]] * 300)])
    assert long.language == "deu_Latn"
    assert long.margin == pytest.approx(300 * short.margin, rel=0.02)


def test_links_case_and_composition_do_not_matter() -> None:
    plain = SAMPLES["yor_Latn"]
    others = [
        plain.upper(),
        f"https://example.org/the/english/page {plain}",
        f"{plain} someone@example.org",
        f"12 {plain}!",
    ]
    assert {guess.language for guess in identify(others)} == {"yor_Latn"}


def test_a_batch_of_many_scripts_is_larger_than_the_inner_one() -> None:
    texts = list(SAMPLES.values()) * 120
    assert [guess.language for guess in identify(texts)] == list(SAMPLES) * 120


def test_the_table_holds_what_the_model_was_measured_on() -> None:
    table = recalls()
    codes = {language.code for language in all_languages()}
    assert set(table) <= codes
    for row in table.values():
        assert row.tested_on in {"ntrex128", "sib200"}
        assert row.segments >= 200
        assert 0 <= row.recall <= 1
        assert row.precision is None or 0 <= row.precision <= 1
        assert set(row.confused) <= codes - {row.language}
        assert (row.trained_on != "") == (model().group_of.get(row.language) is not None)
    assert sum(row.recall >= 0.95 for row in table.values()) >= 175
    for row in table.values():
        for other in row.confused:
            if other in table:
                assert row.language in table[other].confused, (row.language, other)


def test_a_language_without_test_text_has_no_recall() -> None:
    assert model().group_of.get("quc_Latn") is not None
    assert recall("quc_Latn") is None
    assert recall("tlh_Latn") is None


def test_the_model_says_where_it_is_from() -> None:
    about = model().about
    assert about["commits"] == {name: COMMITS[name] for name in ("sib200", "udhr")}
    assert "CC BY-SA 4.0" in about["licence"]
    assert len(about["inputs_sha256"]) == 64
    assert identification.MODEL.stat().st_size < 2_500_000


def test_a_damaged_model_is_refused_in_one_line(tmp_path: Path) -> None:
    whole = identification.MODEL.read_bytes()
    damaged = whole[:1000] + bytes(1000) + whole[2000:]
    for name, content in (
        ("text.npz", b"no model"),
        ("empty.npz", b""),
        ("half.npz", whole[:5000]),
        ("bad.npz", damaged),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(IdentifierError, match="no language identifier") as caught:
            identification.load(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1
    np.savez(tmp_path / "other.npz", steps=np.zeros(3))
    with pytest.raises(IdentifierError, match="no language identifier"):
        identification.load(tmp_path / "other.npz")
    with pytest.raises(IdentifierError, match="no language identifier"):
        identification.load(tmp_path / "absent.npz")


def test_the_committed_table_is_what_the_model_gives_on_a_few_languages(data: Path) -> None:
    """The whole of it takes minutes: `python -m languages.identifier_build --check`."""
    ntrex, sib200 = read_ntrex(data, {}), read_sib200(data, ["test"], {})
    for code, texts in (("yor_Latn", ntrex), ("srp_Cyrl", ntrex), ("mal_Mlym", ntrex), ("ban_Latn", sib200)):
        measured = recall(code)
        assert measured is not None
        assert measured.segments == len(texts[code])
        share = sum(guess.language == code for guess in identify(texts[code])) / measured.segments
        assert round(share, 4) == measured.recall


def test_a_file_in_another_language_than_its_code_is_left_out_of_the_test(data: Path) -> None:
    assert "nso" in OTHER_TEXT
    assert "nso_Latn" not in read_ntrex(data, {})
    measured = recall("nso_Latn")
    assert measured is not None and measured.tested_on == "sib200"


def test_building_twice_gives_the_same_bytes_and_another_text_another_model(tmp_path: Path) -> None:
    texts = {code: [text] * 3 for code, text in SAMPLES.items()}
    scripts, classes = identifier_build.classify()
    arrays = identifier_build.assemble(texts, scripts, classes, {})
    identifier_build.save(arrays, tmp_path / "one.npz")
    identifier_build.save(identifier_build.assemble(texts, scripts, classes, {}), tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert identifier_build.differences(arrays, tmp_path / "one.npz") == []
    changed = identifier_build.assemble(texts | {"eng_Latn": ["Something else entirely."]}, scripts, classes, {})
    assert "values" in identifier_build.differences(changed, tmp_path / "one.npz")
    small = identification.load(tmp_path / "one.npz")
    found = identification.guesses(small, ["die Kinder", "the children", "їхня мати"])
    assert [guess.language for guess in found] == ["deu_Latn", "eng_Latn", "ukr_Cyrl"]


def test_calibration_asks_for_more_letters_where_languages_are_nearer() -> None:
    known = model()
    needed = {group[0][-4:]: int(letters) for group, letters in zip(known.groups, known.enough, strict=True)}
    assert needed["Grek"] == 3  # one language
    assert 3 < needed["Cyrl"] < needed["Deva"]


def test_a_missing_mirror_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert identifier_build.main(["--data", str(tmp_path), "--check"]) == 1
    error = capsys.readouterr().err
    assert "--data must name" in error and len(error.splitlines()) == 1


def test_a_fasttext_model_is_refused_in_one_line_where_it_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(identification.ENVIRONMENT, str(tmp_path / "absent.bin"))
    with pytest.raises(IdentifierError, match="BENCH_LID names") as caught:
        identify(["text"])
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(IdentifierError, match="no table of recall"):
        recall("yor_Latn")
    with pytest.raises(IdentifierError, match="BENCH_LID is set"):
        identifier_build._run(tmp_path, check=True, only_measure=False)


def test_a_fasttext_model_identifies_in_place_of_the_one_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = pytest.importorskip("fasttext")
    if not hasattr(package, "train_supervised"):
        pytest.skip("this fastText package predicts only")
    lines = [
        f"__label__{label} {word}\n"
        for _ in range(50)
        for code, label in (("eng_Latn", "eng_Latn"), ("yor_Latn", "yor_Latn"), ("deu_Latn", "xx-unknown"))
        for word in SAMPLES[code].split()
    ]
    (tmp_path / "train.txt").write_text("".join(lines), "utf-8")
    path = tmp_path / "model.bin"
    package.train_supervised(
        str(tmp_path / "train.txt"), minn=1, maxn=4, dim=8, epoch=20, thread=1, verbose=0
    ).save_model(str(path))
    monkeypatch.setenv(identification.ENVIRONMENT, str(path))
    found = identify([SAMPLES["yor_Latn"], SAMPLES["eng_Latn"] + "\nthe river", SAMPLES["deu_Latn"], ""])
    assert [guess.language for guess in found] == ["yor_Latn", "eng_Latn", "", ""]
    assert found[0].margin > 0
