"""Which option an answer names: right or unparsed, never confidently wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.extraction import choice

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
    ("It is New York.", CITIES),
    ("可能是体育或政治", ("政治", "体育")),
    ("مرحبا", ("سفر", "صحة")),
    ("مي", ("می\u200cم", "میم")),
    ("I think so", TEN),
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
    ("صحة؟", ("سفر", "صحة"), 1),
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
