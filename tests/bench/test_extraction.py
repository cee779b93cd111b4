"""What an answer says, in 85 languages: right or unparsed, never confidently wrong.

`hostile_answers.tsv`, `independent_answers.tsv` and `natural_answers.tsv`: language, kind (choice, number, labels),
options divided by "|", text (\\n a line break, \\u200f a mark of direction, \\\\ a backslash), and what is wanted: an
index, a number, indexes, or "none". Lines with "#" are remarks.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.extraction import canonical_number, choice, labels, number
from bench.extraction_cues import cues, flat
from bench.extraction_labels import _ROWS
from bench.extraction_loose import loosely
from bench.extraction_numerals import in_digits
from tests.hostile import segments


def _corpus(name: str) -> list[list[str]]:
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith(("#", "language\t"))]


CORPUS = _corpus("hostile_answers.tsv")
INDEPENDENT = _corpus("independent_answers.tsv")
NATURAL = _corpus("natural_answers.tsv")

TOPICS = ("science/technology", "travel", "politics", "sports", "health", "entertainment", "geography")
ANIMALS = ("cat", "dog", "horse", "cow")
CITIES = ("York", "New York", "London", "Londonderry")
NUMBERS = ("5", "-5", "10", "0")
TEN = tuple("one two three four five six seven eight nine ten".split())

CLEAR: tuple[tuple[str, Sequence[str], int], ...] = (
    ("B", ANIMALS, 1),
    (" B \n", ANIMALS, 1),
    ("B.", ANIMALS, 1),
    ("B)", ANIMALS, 1),
    ("(B)", ANIMALS, 1),
    ("[B]", ANIMALS, 1),
    ("**B**", ANIMALS, 1),
    ("**B.** dog", ANIMALS, 1),
    ("**B. dog**", ANIMALS, 1),
    ("`B`", ANIMALS, 1),
    ('"B"', ANIMALS, 1),
    ("B: dog", ANIMALS, 1),
    ("B. dog", ANIMALS, 1),
    ("B, because it barks", ANIMALS, 1),
    ("B - dog", ANIMALS, 1),
    ("B\n\nIt barks; a cat does not.", ANIMALS, 1),
    ("Answer: C", ANIMALS, 2),
    ("Answer: **C**", ANIMALS, 2),
    ("answer is C.", ANIMALS, 2),
    ("The answer is C.", ANIMALS, 2),
    ("The correct answer is (C) horse.", ANIMALS, 2),
    ("It barks, so it is no cat. The answer is: B", ANIMALS, 1),
    ("Topic: health", TOPICS, 4),
    ("dog", ANIMALS, 1),
    ("Dog.", ANIMALS, 1),
    ("**dog**", ANIMALS, 1),
    ("dog\nA cat meows.", ANIMALS, 1),
    ("It must be the dog!", ANIMALS, 1),
    ("A cow", ANIMALS, 3),
    ("Answer: A dog", ANIMALS, 1),
    ("Science/Technology.", TOPICS, 0),
    ("The text is about geography.", TOPICS, 6),
    ("New York", CITIES, 1),
    ("York.", CITIES, 0),
    ("Londonderry", CITIES, 3),
    ("It is Londonderry.", CITIES, 3),
    ("It is New York.", CITIES, 1),
    ("صحة", ("سفر", "صحة"), 1),
    ("صحة۔", ("سفر", "صحة"), 1),
    ("खेल।", ("राजनीति", "खेल"), 1),
    ("体育。", ("政治", "体育"), 1),
    ("ｄｏｇ", ANIMALS, 1),
    ("e\u0301te\u0301", ("hiver", "été"), 1),
    ("J", TEN, 9),
)

UNCLEAR: tuple[tuple[str, Sequence[str]], ...] = (
    ("", ANIMALS),
    (" \n\t", ANIMALS),
    ("...", ANIMALS),
    ("A dog or a cat", ANIMALS),
    ("A and B", ANIMALS),
    ("Answer: A or B", ANIMALS),
    ("A/B", ANIMALS),
    ("E", ANIMALS),
    ("Z.", ANIMALS),
    ("A", ()),
    ("None of the options.", ANIMALS),
    ("I cannot answer that.", ANIMALS),
    ("I'm sorry, but I can't help with that.", ANIMALS),
    ("As an AI language model, I have no opinion.", ANIMALS),
    ("A horse is not a dog", ANIMALS),
    ("A fish", ANIMALS),
    ("A long time ago", ANIMALS),
    ("Answer:", ANIMALS),
    ("Answer: Apple", ANIMALS),
    ("doghouse", ANIMALS),
    ("cat, dog, horse, cow", ANIMALS),
    ("science", TOPICS),
    ("可能是体育或政治", ("政治", "体育")),
    ("مرحبا", ("سفر", "صحة")),
    ("مي", ("می\u200cم", "میم")),
    ("I think so", TEN),
    ("صحة؟", ("سفر", "صحة")),
)

# What an article, an elision, an abbreviation or an echo begins with is no letter of an option.
MISLEADING: tuple[tuple[str, Sequence[str], tuple[int | None, ...]], ...] = (
    ("C'est le sport.", ("science", "politique", "santé", "sport"), (3, None)),
    ("D'accord", ANIMALS, (None,)),
    ("E' la salute", ("a", "b", "c", "d", "e"), (None,)),
    ("I'm not sure", TEN, (None,)),
    ("A.M.", ANIMALS, (None,)),
    ("D.C.", ANIMALS, (None,)),
    ("A, C", ANIMALS, (None,)),
    ("(A) or (C)", ANIMALS, (None,)),
    ("A.\nB.\nC.\nD.", ANIMALS, (None,)),
    ("A\nB\nC\nD", ANIMALS, (None,)),
    ("A. cat\nB. dog\nC. horse\nD. cow", ANIMALS, (None,)),
    ("A: cat, B: dog", ANIMALS, (None,)),
    ("A. dog", ANIMALS, (None,)),
    ("A\nAnswer: C", ANIMALS, (2, None)),
    ("<think>It may be travel, or A.</think>\nC", TOPICS, (2, None)),
    ("<think>Answer: A? No.</think>\nC", ANIMALS, (2, None)),
    ("I'm sorry, I can't discuss politics.", TOPICS, (None,)),
    ("It is not travel.", TOPICS, (None,)),
    ("A", ("e", "a", "i", "o"), (0, None)),
    ("", ("!", "dog"), (None,)),
    ("***", ("!", "dog"), (None,)),
    ("A dog barks.", ANIMALS, (1, None)),
    ("الجواب هو صحة", ("سفر", "صحة"), (1, None)),
    ("यह खेल है।", ("राजनीति", "खेल"), (1, None)),
    ("-5", NUMBERS, (1, None)),
    (".5", ("5", ".5", "1"), (1, None)),
    ("3.5", ("3", "4", "7"), (None,)),
    ("1,000", ("1", "2", "3"), (None,)),
    ("10:30", ("10", "11", "12"), (None,)),
    ("A: the dog", ANIMALS, (1, None)),
    ("A: It's the dog.", ANIMALS, (1, None)),
    ("B. The cat", ANIMALS, (None,)),
    ("(A) is incorrect.", ANIMALS, (None,)),
    ("A, C are both right", ANIMALS, (None,)),
    ("A, B, and C seem plausible.", ANIMALS, (None,)),
    ("A? No.", ANIMALS, (None,)),
    ("Cat? No.", ANIMALS, (None,)),
    ("Is it about health?", TOPICS, (None,)),
)

# An answer that any reader of the language understands; unparsed, it would count against the language.
NATIVE: tuple[tuple[str, Sequence[str], int], ...] = (
    ("B。", ANIMALS, 1),
    ("B，因为会叫", ANIMALS, 1),
    ("（B）", ANIMALS, 1),
    ("Ｂ", ANIMALS, 1),
    ("B।", ANIMALS, 1),
    ("B۔", ANIMALS, 1),
    ("B።", ANIMALS, 1),
    ("ጤና።", ("ጉዞ", "ጤና"), 1),
    ("«صحة»", ("سفر", "صحة"), 1),
    ("“dog”", ANIMALS, 1),
    ("སྨན།", ("གཞན", "སྨན"), 1),
    ("\u200fصحة", ("سفر", "صحة"), 1),
    ("「体育」", ("政治", "体育"), 1),
)


@pytest.mark.parametrize(("text", "options", "expected"), CLEAR)
def test_clear(text: str, options: Sequence[str], expected: int) -> None:
    assert choice(text, options) == expected


@pytest.mark.parametrize(("text", "options"), UNCLEAR)
def test_unclear_is_unparsed(text: str, options: Sequence[str]) -> None:
    assert choice(text, options) is None


@pytest.mark.parametrize(("text", "options", "allowed"), MISLEADING)
def test_never_confidently_wrong(text: str, options: Sequence[str], allowed: tuple[int | None, ...]) -> None:
    assert choice(text, options) in allowed


@pytest.mark.parametrize(("text", "options", "expected"), NATIVE)
def test_native_punctuation(text: str, options: Sequence[str], expected: int) -> None:
    assert choice(text, options) == expected


WORDS = st.text(
    st.sampled_from("ABCDaz .,:()*\n\r\u2028'\"éሀم中।。\u200f\u200c\ud800🧬") | st.characters(), max_size=12
)


@settings(max_examples=300, deadline=None)
@given(text=WORDS | WORDS.map("Answer: ".__add__), options=st.lists(WORDS, max_size=26))
def test_any_text_gives_an_option_or_none(text: str, options: list[str]) -> None:
    found = choice(text, options)
    assert found is None or 0 <= found < len(options)


@settings(max_examples=300, deadline=None)
@given(options=st.lists(WORDS, min_size=2, max_size=6, unique=True), data=st.data())
def test_an_option_word_for_word_is_never_taken_for_another(options: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(options) - 1))
    assert choice(options[place], options) in (place, None)


@settings(max_examples=50, deadline=None)
@given(
    options=st.permutations(ANIMALS), place=st.integers(0, 3), end=st.sampled_from(["", ".", "!", "\n\nIt is.", "。"])
)
def test_a_word_names_its_option_wherever_it_stands(options: list[str], place: int, end: str) -> None:
    assert choice(options[place] + end, options) == place
    assert choice(f"Answer: {options[place]}{end}", options) == place
    assert choice(f"{'ABCD'[place]}. {options[place]}{end}", options) == place


def _told(kind: str, options: str, text: str) -> str:
    """What is read of a row of the corpus, as its last column would say it."""
    text = text.replace("\\\\", "\0").replace("\\n", "\n").replace("\\u200f", "\u200f").replace("\0", "\\")
    if kind == "number":
        return number(text) or "none"
    among = options.split("|")
    found = labels(text, among) if kind == "labels" else choice(text, among)
    return "none" if found is None else ",".join(map(str, found)) if isinstance(found, tuple) else str(found)


@pytest.mark.parametrize(
    ("corpus", "least", "rows", "undecidable"),
    [(CORPUS, 0.98, 800, 0.3), (INDEPENDENT, 0.9, 415, 0.24), (NATURAL, 0.98, 231, 0.09)],
    ids=["hostile", "independent", "natural"],
)
def test_a_corpus_is_read_right_or_not_at_all(
    corpus: list[list[str]], least: float, rows: int, undecidable: float
) -> None:
    wrong, right, decidable = [], 0, 0
    for language, kind, options, text, wanted in corpus:
        told = _told(kind, options, text)
        decidable += wanted != "none"
        right += told == wanted != "none"
        if told not in (wanted, "none"):
            wrong.append((language, text, wanted, told))
    assert wrong == []
    assert len(corpus) >= rows and len({row[0] for row in corpus}) >= 30
    assert len(corpus) - decidable >= undecidable * len(corpus)
    assert right >= least * decidable


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("1,000", "1000"), ("18.0", "18"), ("-3.50", "-3.5"), ("−7", "-7"), ("٣", "3"), ("1.234,5", "1234.5"),
        ("1,23,456", "123456"), ("0", "0"), ("-0", "0"), ("007", "7"), ("x", None), ("", None), ("3/4", None),
        ("1,2,3", None), ("5 apples", None),
    ],
)  # fmt: skip
def test_canonical_number(written: str, plain: str | None) -> None:
    assert canonical_number(written) == plain


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1.234", None),  # German or English?
        ("Die Antwort ist 1.234.", "1234"),
        ("La respuesta es 1.234.", None),  # Spain and Mexico differ
        ("Each costs 2.50, so the total is 1.234", "1.234"),
        ("5 apples and 3 pears", None),
        ("10:30", None),
        ("No. 18", None),
        ("The answer is 18 to 20.", None),
        ("1. Add 5 and 3\n2. Multiply by 2\n3. ", None),
        ("x = 5, y = 6", None),
        ("5 ሺህ", None),
    ],
)
def test_number(text: str, wanted: str | None) -> None:
    assert number(text) == wanted


ZEROS = [
    chr(code)
    for code in range(0x110000)
    if unicodedata.category(chr(code)) == "Nd" and unicodedata.digit(chr(code)) == 0
]


@pytest.mark.parametrize("zero", ZEROS)
def test_the_digits_of_every_script(zero: str) -> None:
    written = "".join(chr(ord(zero) + digit) for digit in (1, 8))
    assert number(f"Answer: {written}") == number(written) == canonical_number(written) == "18"
    assert choice(chr(ord(zero) + 2), ANIMALS) == choice(f"Answer: {chr(ord(zero) + 2)}", ANIMALS) == 1


WRAPPED = (
    "{}",
    "({})",
    "[{}]",
    "**{}**",
    "{})",
    "{}.",
    "Answer: {}",
    "Answer: ({})",
    "\\boxed{{{}}}",
    "`{}`",
    "\u200f{}",
    "{}\n",
)
UNSURE = frozenset("Вв")  # Cyrillic's third letter looks like Latin's second


@pytest.mark.parametrize("row", [row for row in _ROWS if len(row) > 1])
def test_a_wrapped_label_of_any_script_is_its_option(row: str) -> None:
    for index, label in enumerate(row[:4]):
        for shape in WRAPPED:
            told = choice(shape.format(label), ANIMALS)
            assert told == (None if label in UNSURE else index), shape.format(label)


@settings(max_examples=100)
@given(segments)
def test_any_text_is_read_without_an_error(text: str) -> None:
    for told in (text, f"Answer: {text}", f"\\boxed{{{text}}}", f"<think>{text}</think>{text}"):
        value = number(told)
        assert value is None or canonical_number(value) == value
        assert choice(told, ANIMALS) in (None, 0, 1, 2, 3)
        found = labels(told, ANIMALS)
        assert found is None or (found and len(set(found)) == len(found) and set(found) <= {0, 1, 2, 3})


DECORATIONS = st.sampled_from(["", " ", "\n", "**", "\u200f", "\u2067", "👉 ", "✅ ", "`", '"', "\ufeff"])


@settings(max_examples=100)
@given(st.sampled_from([row for row in CORPUS + INDEPENDENT if row[1] == "choice"]), DECORATIONS, DECORATIONS)
def test_decoration_never_makes_another_answer(row: list[str], before: str, after: str) -> None:
    _, kind, options, text, wanted = row
    assert _told(kind, options, before + text + after) in (wanted, "none")


@pytest.mark.parametrize(
    "text", ["The answer is A. ", "<think>", "\\boxed{", "(", "**A** ", "1 ", "A\n", "1,", "=", "B) ", "no "]
)
def test_of_a_long_text_the_ends_are_read(text: str) -> None:
    long = text * (100_000 // len(text))
    ends = long[:3000] + "\n\n" + long[-6000:]
    assert (number(long), choice(long, ANIMALS), labels(long, ANIMALS)) == (
        number(ends), choice(ends, ANIMALS), labels(ends, ANIMALS),
    )  # fmt: skip


@settings(max_examples=100)
@given(st.dictionaries(segments, st.one_of(segments, st.booleans(), st.lists(segments))), st.integers(0, 3))
def test_the_answer_of_an_object_is_read_among_its_other_keys(others: dict[str, object], place: int) -> None:
    text = json.dumps({f"-{key}": value for key, value in others.items()} | {"answer": "ABCD"[place]})
    assert choice(text, ANIMALS) in (place, None)
    assert choice(json.dumps({"reasoning": "A and B are wrong.", "answer": "ABCD"[place]}), ANIMALS) == place
    assert choice("{" + text, ANIMALS) in (place, None)


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("四十二", "42"), ("一千零五", "1005"), ("三百五", "三百五"), ("三四十", "三四十"), ("第三十", "第三十"),
        ("3万", "30000"),
        ("3万5千", "3万5千"), ("1.5亿", "150000000"), ("二十亿", "2000000000"), ("三十分之一", "三十分之一"),
        ("\\frac{3}{4}", "0.75"), ("\\frac{1}{3}", "\\frac{1}{3}"), ("\\frac{1}{0}", "\\frac{1}{0}"),
        ("2\\frac{1}{2}", "2\\frac{1}{2}"),
    ],
)  # fmt: skip
def test_numerals_are_written_in_digits_or_left(written: str, digits: str) -> None:
    assert in_digits(written) == digits


@pytest.mark.parametrize(
    ("one", "other"),
    [("İNCİR", "incir"), ("IŞIK", "ışık"), ("WEISS", "weiß"), ("nkita", "nkịta"), ("كتاب", "کتاب"), ("عمّان", "عمان")],
)
def test_spellings_of_one_word(one: str, other: str) -> None:
    assert loosely(one) == loosely(other) == loosely(loosely(one))


def test_options_that_differ_by_accents_alone_are_not_confused() -> None:
    assert choice("papa", ("papá", "papa")) == 1
    assert choice("páp", ("papá", "papa")) is None
    assert choice("pâpa", ("papá", "papa")) is None


def test_every_cue_is_found_where_it_stands_alone() -> None:
    table = cues()
    assert (
        len({language for kinds in table.phrases.values() for languages in kinds.values() for language in languages})
        >= 60
    )
    for phrase in table.phrases:
        assert flat(phrase).strip() == phrase
