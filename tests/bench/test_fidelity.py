"""Whether an answer is in the language that was wanted."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fidelity import Fidelity, identifiable, judge
from languages import UnknownLanguage, all_languages
from languages.identification import recalls
from languages.identifier_texts import read_ntrex
from tests.hostile import pairs, segments

YORUBA = "Àwọn ọmọ náà rìn lọ sí odò nítorí pé ìyá wọn ń dúró dè wọ́n níbẹ̀."
ENGLISH = "The children walked slowly to the river because their mother was waiting."
AMHARIC = "ልጆቹ እናታቸው እየጠበቀቻቸው ስለነበር ቀስ ብለው ወደ ወንዙ ሄዱ።"
HINDI = "बच्चे धीरे-धीरे नदी की ओर चले गए क्योंकि उनकी माँ वहाँ उनका इंतज़ार कर रही थी और शाम हो चुकी थी।"
NOTHING = Fidelity(None, None, None, None, "")


def one(text: str, wanted: str) -> Fidelity:
    (found,) = judge([text], wanted)
    return found


def test_the_language_that_was_wanted() -> None:
    assert one(YORUBA, "yor_Latn") == Fidelity(True, True, None, None, "yor_Latn")
    assert one(AMHARIC, "amh_Ethi") == Fidelity(True, True, True, None, "amh_Ethi")


def test_another_language() -> None:
    assert one(ENGLISH, "yor_Latn") == Fidelity(True, False, None, None, "eng_Latn")
    assert one(ENGLISH, "amh_Ethi") == Fidelity(False, False, None, None, "eng_Latn")


def test_one_line_in_another_language_fails_the_answer() -> None:
    assert one(f"{YORUBA}\n{ENGLISH}", "yor_Latn").line is False
    assert one(f"{YORUBA}\r\n\r\n{YORUBA}\r", "yor_Latn").line is True
    assert one(f"{AMHARIC}\n{AMHARIC}\n{ENGLISH}", "amh_Ethi").line is False


@pytest.mark.parametrize("text", ["", " ", "\n\n", "?!", "🧬", "\u200f\u200d", "…—“”"])
@pytest.mark.parametrize("wanted", ["yor_Latn", "amh_Ethi", "jpn_Jpan", "arb_Arab"])
def test_what_has_no_letters_has_no_verdict(text: str, wanted: str) -> None:
    assert one(text, wanted) == NOTHING


@pytest.mark.parametrize(
    ("text", "wanted", "script"),
    [
        ("B", "amh_Ethi", None),  # the letter of an option
        ("B) አዎ", "amh_Ethi", True),
        ("Yes", "amh_Ethi", False),
        ("አዎ", "yor_Latn", None),  # two letters
        ("አማርኛ", "yor_Latn", False),
        ("ひらがな", "zho_Hans", False),
        ("漢字とかな", "jpn_Jpan", True),
        ("漢字", "jpn_Jpan", True),
        ("한국어", "kor_Hang", True),
        ("한국어", "jpn_Jpan", False),
        ("српски језик", "srp_Latn", False),
        ("ᚠᚢᚦᚨᚱᚲ", "eng_Latn", False),  # a script that the registry has not
        ("oʻzbek tili", "uzn_Latn", True),
    ],
)
def test_a_script_is_judged_from_three_letters(text: str, wanted: str, script: bool | None) -> None:
    assert one(text, wanted).script is script


def test_names_in_latin_letters_are_tolerated_up_to_a_third() -> None:
    assert one(f"Microsoft Windows {AMHARIC}", "amh_Ethi").script is True
    assert one(f"{ENGLISH} {AMHARIC}", "amh_Ethi").script is False
    assert one(f"{YORUBA} አማርኛ", "yor_Latn").script is True
    assert one(f"{YORUBA} {AMHARIC}", "yor_Latn").script is False


def test_a_stray_word() -> None:
    assert one(f"{AMHARIC} because", "amh_Ethi").word is False
    for harmless in (
        "Microsoft",
        "km",
        "NATO",
        "https://example.org/because",
        "`because`",
        "because@example.org",
        "iPhone",
    ):
        assert one(f"{AMHARIC} {harmless}", "amh_Ethi").word is True, harmless
    assert one(f"{AMHARIC}\n{ENGLISH}", "amh_Ethi").word is None


def test_code_does_not_count_unless_it_is_all_there_is() -> None:
    fenced = "```python\nfor word in words: print(word)\nreturn everything\n```"
    assert one(f"{YORUBA}\n{fenced}", "yor_Latn").line is True
    assert one(f"{AMHARIC}\n{fenced}", "amh_Ethi") == one(AMHARIC, "amh_Ethi")
    assert one(f"```\n{YORUBA}\n```", "yor_Latn").line is True


@pytest.mark.parametrize(
    ("text", "wanted", "native"),
    [
        ("उत्तर ४२ है", "hin_Deva", True),
        ("उत्तर 42 है", "hin_Deva", False),
        ("उत्तर ४2 है", "hin_Deva", False),
        ("४२", "hin_Deva", True),
        ("42", "hin_Deva", False),
        ("٤٢", "arb_Arab", True),
        ("۴۲", "pes_Arab", True),
        ("উত্তর ४२", "ben_Beng", False),
        ("42", "yor_Latn", None),
        ("42", "ell_Grek", None),
        ("42", "jpn_Jpan", None),
        ("४२", "yor_Latn", None),
    ],
)
def test_native_digits(text: str, wanted: str, native: bool | None) -> None:
    assert one(text, wanted).native_digits is native


def test_a_language_that_is_not_told_from_its_neighbours_gets_no_verdict_on_lines() -> None:
    croatian = "Djeca su polako hodala prema rijeci jer ih je majka čekala ondje cijelo poslijepodne."
    for wanted in ("srp_Latn", "bos_Latn", "hrv_Latn"):
        assert identifiable(wanted)[0] is False
        assert one(croatian, wanted).line is None
        assert one(ENGLISH, wanted).line is None
        assert one(ENGLISH, wanted).found == "eng_Latn"


def test_what_can_be_identified() -> None:
    told, share, count = identifiable("yor_Latn")
    assert told and share is not None and share >= 0.95 and count == 1997
    assert identifiable("quc_Latn") == (False, None, 0)
    told, share, count = identifiable("zsm_Latn")
    assert not told and share is not None and share < 0.95 and count == 1997
    assert sum(identifiable(language.code)[0] for language in all_languages()) >= 175


def test_every_language_of_the_registry_can_be_wanted() -> None:
    for language in all_languages():
        own, latin, empty = judge([language.autonym or "", "plain English words", ""], language.code)
        assert empty == NOTHING
        assert latin.script is (language.script == "Latn"), language.code
        if language.autonym and len(language.autonym) > 5:
            assert own.script is True, language.code


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(UnknownLanguage):
        judge(["text"], "klingonese")


@given(st.lists(segments, max_size=6), st.sampled_from(["yor_Latn", "amh_Ethi", "zho_Hant", "arb_Arab", "srp_Latn"]))
def test_the_rest_of_the_batch_changes_nothing(texts: list[str], wanted: str) -> None:
    together = judge(texts, wanted)
    assert together == [one(text, wanted) for text in texts]
    assert judge(texts[::-1], wanted) == together[::-1]


@given(segments, st.sampled_from(["yor_Latn", "amh_Ethi", "jpn_Jpan", "pes_Arab"]))
def test_verdicts_hang_together(text: str, wanted: str) -> None:
    found = one(text, wanted)
    if found.script is False:
        assert found.line is (False if identifiable(wanted)[0] else None)
    if found.line is None or found.line is False or wanted == "yor_Latn":
        assert found.word is None
    if not any(char.isdecimal() for char in text):
        assert found.native_digits is None


@given(
    st.sampled_from([(YORUBA, "yor_Latn"), (AMHARIC, "amh_Ethi"), (HINDI, "hin_Deva")]),
    st.text(st.sampled_from("0123456789٤४.,;:!?()[]-–—\"'%$€+*# \t\n\u200d\u200f\u2060🧬"), max_size=30),
    st.sampled_from(
        ["", "https://example.org/the/whole/page?q=because", "www.example.org", "mail someone@example.org"]
    ),
)
def test_digits_punctuation_and_links_do_not_make_a_right_line_wrong(
    answer: tuple[str, str], noise: str, link: str
) -> None:
    text, wanted = answer
    for decorated in (f"{noise} {text}", f"{text} {noise}", f"{text} {link} ", f"{noise}\n{text}\n{link}\n{noise}"):
        found = one(decorated.replace("'", " "), wanted)
        assert (found.script, found.line) == (True, True), decorated


def test_hostile_text_is_judged_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    hypotheses, references = pairs(1500, seed=3)
    for wanted in ("yor_Latn", "zho_Hans", "amh_Ethi"):
        found = judge([*hypotheses, *references, "a" * 100_000, "`" * 50_000, "@" * 50_000, "www." * 20_000], wanted)
        assert len(found) == 3004
    assert not recwarn.list


def test_real_sentences_are_in_their_language(data: Path) -> None:
    texts = read_ntrex(data, {})
    wrong = total = passed = 0
    for code in sorted(texts):
        if identifiable(code)[0]:
            found = judge(texts[code][:120], code)
            wrong += sum(one.line is False for one in found)
            passed += sum(one.line is True for one in found)
            total += len(found)
    assert total > 10_000
    assert wrong < 0.01 * total
    assert passed > 0.95 * total


def test_real_english_lines_in_an_answer_are_found(data: Path) -> None:
    texts = read_ntrex(data, {})
    english = [line for line in texts["eng_Latn"][:300] if len(line) > 60]
    drawn = random.Random(1)
    for code in sorted(texts):
        if code == "eng_Latn" or not identifiable(code)[0]:
            continue
        answers = [f"{drawn.choice(texts[code])}\n{drawn.choice(english)}" for _ in range(40)]
        found = judge(answers, code)
        assert sum(one.line is False for one in found) >= 38, code
    assert all(one.line is None for one in judge(texts["hrv_Latn"][:100], "bos_Latn"))


def test_nothing_near_is_held_against_an_answer() -> None:
    table = recalls()
    near = [(row.language, other) for row in table.values() if row.recall >= 0.95 for other in row.confused]
    assert ("nno_Latn", "nob_Latn") in near
    assert not [code for code, other in near if other == "eng_Latn"]  # what models fall back to
