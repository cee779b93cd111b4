"""IFEval's and M-IFEval's instructions: an answer that obeys and one that does not, for every id."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import instructions_text as measure
from bench.instructions import COMMAS, IFEVAL, holds
from bench.instructions_mifeval import MIFEVAL
from bench.rules import UNVERIFIED, each, obeyed
from tests.hostile import segments

ENGLISH = "the children are walking to the market in the morning because they want to buy bread for their mother"
SPANISH = "los niños caminan por la mañana hasta el mercado porque quieren comprar pan para su madre y su abuela"
FRENCH = "les enfants marchent le matin jusqu'au marché parce qu'ils veulent acheter du pain pour leur mère"

# id, arguments, an answer that obeys, an answer that does not
CASES: tuple[tuple[str, dict[str, Any], str, str], ...] = (
    ("keywords:existence", {"keywords": ["river", "Boat"]}, "A boat on the RIVERBANK.", "A boat."),
    ("keywords:existence", {"keywords": ["a+b"]}, "It is a+b.", "It is aab."),
    ("keywords:frequency", {"keyword": "rain", "frequency": 2, "relation": "at least"}, "Rain, rainy.", "Rain."),
    ("keywords:frequency", {"keyword": "नदी", "frequency": 2, "relation": "less than"}, "नदी", "नदी नदी"),
    ("keywords:forbidden_words", {"forbidden_words": ["art"]}, "A start.", "The ART of it."),
    ("keywords:forbidden_words", {"forbidden_words": ["中"]}, "日本語", "在家中吃饭"),
    (
        "keywords:letter_frequency",
        {"letter": "A", "let_frequency": 3, "let_relation": "at least"},
        "A banana.",
        "Eels.",
    ),
    (
        "keywords:letter_frequency",
        {"letter": "й", "let_frequency": 1, "let_relation": "at least"},
        "и\u0306од",
        "вода",
    ),
    ("language:response_language", {"language": "hi"}, "नदी में पानी बहुत है।", "There is much water in the river."),
    ("language:response_language", {"language": "zh"}, "河里有很多水。", "В реке много воды."),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}, "One. Two?", "One, two."),
    ("length_constraints:number_sentences", {"num_sentences": 3, "relation": "less than"}, "एक। दो।", "एक। दो। तीन।"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One\n***\nTwo\n***", "One\n\nTwo"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "***One***Two", "One *** *** Two"),
    ("length_constraints:number_words", {"num_words": 4, "relation": "at least"}, "I don't know it.", "I don't know."),
    ("length_constraints:number_words", {"num_words": 4, "relation": "less than"}, "一二三", "一二三四"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Then"},
        "First.\n\n\u201cThen,\u201d he said.",
        "First.\n\nThenceforth.",
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "one"},
        "One.\n\n\n\nTwo.",
        "One.\n\nTwo.\n\nThree.",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name] lives in [place]", "[name] (place)"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Yours\np. s. Come!", "Yours\nPS Come!"),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "P.P.S more", "P.S. more"),
    ("detectable_content:postscript", {"postscript_marker": "PS"}, "ps: oui", "Le corps"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* one\n - two", "* one\n- two\n* three"),
    ("detectable_format:constrained_response", {}, "My answer is no.", "No."),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* and **b c**", "*a* and ** **"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        "Section 1\nx\nSection 2\ny",
        "Section one\nSection 2",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": [1, 2]}\n```', '{"a": 1'),
    ("detectable_format:title", {}, "<<joy>>\nText", "<< >>\nText"),
    ("combination:two_responses", {}, "One\n******\nTwo", "One\n******\nOne"),
    ("combination:two_responses", {}, "******\nOne\n******\nTwo", "One ****** ****** Two"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say it."}, " say it. It.", "It. Say it."),
    ("startend:end_checker", {"end_phrase": "The end."}, '"That was the END."', "The end. Really."),
    ("startend:quotation", {}, "“Yes”", "“Yes” she said"),
    ("startend:quotation", {}, '"Yes"', '"'),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        "THE BIG-TOP is here",
        "THE big top",
    ),
    ("change_case:english_capital", {}, ENGLISH.upper(), ENGLISH),
    ("change_case:english_lowercase", {}, ENGLISH, ENGLISH.capitalize()),
    ("punctuation:no_comma", {}, "One; two.", "One, two."),
    ("punctuation:no_comma", {}, "一；二。", "一，二。"),
    ("es:keywords:frequency", {"keyword": "éxito", "frequency": 1, "relation": "como máximo"}, "Éxito", "éxito éxito"),
    ("es:detectable_format:number_bullet_lists", {"num_bullets": 1}, "* uno\n- dos", "- dos"),
    ("es:detectable_format:constrained_response", {}, "Quizás.", "Acaso."),
    ("es:startend:end_checker", {"end_phrase": "Un saludo"}, "Gracias. Un saludo.", "Un saludo, Ana."),
    ("es:change_case:spanish_capital", {}, SPANISH.upper(), SPANISH),
    ("es:change_case:spanish_lowercase", {}, SPANISH, SPANISH.capitalize()),
    ("es:punctuation:question_marks", {}, "¿Qué es?", "¿ ? Qué es?"),
    ("es:punctuation:exclamation_marks", {}, "¡Hola!", "Hola!"),
    ("es:special_character:enie", {"let_frequency": 2}, "El NIÑO sueña.", "El niño."),
    ("es:special_character:dieresis", {"let_frequency": 1}, "Un pingüino.", "Un pingüino y una cigüeña."),
    ("es:special_character:tildes", {"num_words": 2, "relation": "al menos"}, "Mamá está aquí", "Mama esta aquí"),
    ("fr:detectable_format:constrained_response", {}, "Peut-être.", "Sans doute."),
    ("fr:detectable_format:title", {}, "##Un titre##\nTexte", "## Un titre\nTexte"),
    ("fr:startend:quotation", {}, "«\u00a0Oui\u00a0»", "Oui"),
    ("fr:change_case:french_capital", {}, FRENCH.upper(), FRENCH),
    ("fr:change_case:french_lowercase", {}, FRENCH, FRENCH.capitalize()),
    ("fr:special_character:ethel_or_cedilla", {"forbidden_char": "œ"}, "Le coeur", "L'ŒUF"),
    ("fr:special_character:no_accents", {}, "Le coeur bat", "Ça va"),
    (
        "fr:special_character:accents",
        {"word_to_accentuate": {"lecons": "leçons", "eleve": None}},
        "Les LEÇONS de l'eleve",
        "Les lecons",
    ),
    ("fr:detectable_content:informal_address", {}, "Je t’attends", "Je vous attends, cher Tutu"),
    ("fr:detectable_content:no_digits", {}, "deux", "2"),
    (
        "ja:keywords:letter_frequency",
        {"letter": "し", "let_frequency": 2, "let_relation": "以上"},
        "しずかなシカ",
        "しずか",
    ),
    ("ja:length_constraints:number_letters", {"num_letters": 4, "relation": "未満"}, "三文字", "四文字だ"),
    ("ja:detectable_format:number_bullet_lists", {"num_bullets": 1}, "・一つ", "* 一つ"),
    ("ja:detectable_format:number_numbered_lists", {"num_items": 2}, "1. 一\n2. 二", "1. 一"),
    ("ja:detectable_format:constrained_response", {}, "はい、そうです。", "はい。"),
    ("ja:detectable_format:number_highlighted_sections", {"num_highlights": 1}, "《山》", "*山*"),
    (
        "ja:detectable_format:multiple_sections",
        {"section_spliter": "章", "num_sections": 2},
        "第1章\n山\n第２章\n川",
        "第1章\n山\n二章",
    ),
    ("ja:detectable_format:title", {}, "『山』\n本文", "『 』\n本文"),
    ("ja:detectable_format:nominal_ending", {"count": 1}, "高い山。", "山は高い。"),
    ("ja:startend:end_checker", {"end_phrase": "「終わり。」"}, "これで終わり。", "終わり。では"),
    ("ja:startend:quotation", {}, "「はい」", '"はい"'),
    ("ja:startend:sentence_unified_end", {"ending": "です"}, "山です。「川だ。」海です！", "山です。海だ。"),
    ("ja:letters:furigana", {}, "高（たか）い山（やま）", "高（たか）い山"),
    ("ja:letters:kansuuji", {}, "三つ", "３つ"),
    ("ja:letters:kanji", {"kanji_limit": 2, "relation": "以上"}, "高い山", "たかい山"),
    ("ja:letters:no_hiragana", {}, "山カワ", "山の川"),
    ("ja:letters:hiragana_only", {}, "やま、らーめん！1", "やまと川"),
    ("ja:letters:no_katakana", {}, "やま", "ﾔﾏ"),
    ("ja:letters:katakana_only", {}, "ヤマ・ラーメン。", "ヤマと"),
    ("ja:punctuation:no_comma", {}, "山,川", "山、川"),
    ("ja:punctuation:no_period", {}, "山です", "山です。"),
)


def rule(name: str, kwargs: dict[str, Any]) -> str:
    return json.dumps([{"id": name, "kwargs": kwargs}])


@pytest.mark.parametrize(("name", "kwargs", "good", "bad"), CASES, ids=[case[0] for case in CASES])
def test_obeyed_and_violated(name: str, kwargs: dict[str, Any], good: str, bad: str) -> None:
    if "language" not in name and "english" not in name and "spanish" not in name and "french" not in name:
        assert not obeyed(" \n", rule(name, kwargs))
    assert obeyed(good, rule(name, kwargs))
    assert not obeyed(bad, rule(name, kwargs))


def test_all_of_ifeval_is_here_and_tried() -> None:
    assert len(IFEVAL) == 25
    assert {name for name, *_ in CASES} >= IFEVAL.keys()


def test_every_instruction_that_differs_in_a_language_is_tried() -> None:
    own = {name for name, check in MIFEVAL.items() if check is not IFEVAL.get(name.partition(":")[2])}
    assert own <= {name for name, *_ in CASES}
    assert sum(name.startswith("es:") for name in MIFEVAL) == 30
    assert sum(name.startswith("fr:") for name in MIFEVAL) == 30
    assert sum(name.startswith("ja:") for name in MIFEVAL) == 33
    assert not UNVERIFIED - IFEVAL.keys() - MIFEVAL.keys()


@pytest.mark.parametrize("prefix", ["en", "es", "fr", "ja"])
def test_the_shared_instructions_are_ifevals(prefix: str) -> None:
    given_ = rule(f"{prefix}:keywords:existence", {"keywords": ["x"]})
    assert obeyed("x", given_)
    assert not obeyed("y", given_)


@pytest.mark.parametrize(
    ("actual", "relation", "held"),
    [
        *((2, relation, True) for relation in ("at least", "al menos", "au moins", "以上", "at most", "como máximo")),
        *((2, relation, False) for relation in ("less than", "moins de", "未満")),
        *((1, relation, False) for relation in ("at least", "al menos", "au moins", "以上")),
        *((3, relation, False) for relation in ("at most", "como máximo", "less than")),
    ],
)
def test_relations(actual: int, relation: str, held: bool) -> None:
    assert holds(actual, relation, 2) is held


def test_an_unknown_relation_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown relation 'around'; known are "):
        obeyed("x", rule("length_constraints:number_words", {"num_words": 1, "relation": "around"}))


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="qqq"):
        obeyed("x", rule("language:response_language", {"language": "qqq"}))


@given(segments)
def test_hostile_text_never_raises(text: str) -> None:
    for name, kwargs, *_ in CASES:
        if not any(word in name for word in ("language", "english", "spanish", "french")):
            assert each(text, rule(name, kwargs), loose=True)[0] >= each(text, rule(name, kwargs))[0]


def test_deep_json_is_no_json() -> None:
    assert not obeyed("[" * 100_000, rule("detectable_format:json_format", {}))
    assert not obeyed("9" * 10_000, rule("detectable_format:json_format", {}))


@pytest.mark.parametrize(
    ("text", "strict", "loose"),
    [
        ("Sure:\n1", False, True),
        ("1\nThere it is.", False, True),
        ("Sure:\n1\nThere it is.", False, True),
        ("*1*", False, True),
        ("Sure:\n*1*\nThere it is.", False, True),
        ("Sure:\nYes:\n1", False, False),
        ("1", True, True),
    ],
)
def test_loose(text: str, strict: bool, loose: bool) -> None:
    assert obeyed(text, rule("detectable_format:json_format", {})) is strict
    assert obeyed(text, rule("detectable_format:json_format", {}), loose=True) is loose


def test_loose_is_for_each_rule_by_itself() -> None:
    both = json.dumps(
        [
            {"id": "startend:quotation", "kwargs": {}},
            {"id": "detectable_format:title", "kwargs": {"num_words": None}},
        ]
    )
    text = '<<T>>\n"x"'
    assert each(text, both) == (False, True)
    assert each(text, both, loose=True) == (True, True)
    assert obeyed(text, both, loose=True)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("don't go at 1,000.5", 4),
        ("e-mail", 2),
        ("ค่ะไทย", 5),
        ("中国ABC人", 4),
        ("カタカナ", 4),
        ("བོད་ཡིག", 2),
        ("မြန်မာ", 3),
        ("हिन्दी में", 2),
        ("— … !", 0),
        ("👩\u200d👧", 0),
    ],
)
def test_words(text: str, count: int) -> None:
    assert len(measure.words(text)) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three?", 3),
        ("Wait... what is 3.5? Yes!!!", 2),
        ("1. One\n2. Two", 2),
        ("He said “No.” Then he left.", 2),
        ("你好。再见！", 2),
        ("ሰላም። ደህና።", 2),
        ("هل؟ نعم۔", 2),
        ("हाँ। नहीं।", 2),
        ("...\n!", 0),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert len(measure.sentences(text)) == count


@given(st.lists(st.sampled_from(["one", "deux", "नदी", "вода", "ọ̀rọ̀"]), min_size=1, max_size=30))
def test_words_divided_by_spaces_are_counted_one_by_one(words: list[str]) -> None:
    assert measure.words(" ".join(words)) == words


@given(segments)
def test_counts_of_hostile_text(text: str) -> None:
    assert 0 <= measure.characters(text) <= len(text)
    assert len(measure.words(text)) <= len(text)
    assert "".join(measure.words(text)) in "".join(text) or len(measure.words(text)) != 1
    assert measure.occurrences(text, text) >= (1 if text.isascii() and text.isalnum() else 0)


def test_commas_are_unicodes() -> None:
    import sys
    import unicodedata

    named = {
        char
        for char in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(char) == "Po" and "COMMA" in unicodedata.name(char, "")
    }
    assert {*COMMAS} == named
