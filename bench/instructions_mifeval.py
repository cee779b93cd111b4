"""M-IFEval's instructions for Spanish, French and Japanese: those that differ from IFEval's, and those of its own.

Dussolle et al. (2025), M-IFEval: Multilingual Instruction-Following Evaluation; written anew from the paper and from
the definitions that the Language Model Evaluation Harness carries (`lm_eval/tasks/m_ifeval`, commit 824ba11).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

import regex  # type: ignore[import-untyped]

from bench import instructions_text as measure
from bench.instructions import IFEVAL, Check, holds, speaks
from bench.instructions import UNVERIFIED as _OF_IFEVAL

_LETTER = r"\p{L}\p{M}\p{N}"
_FAMILIAR = regex.compile(rf"(?i)(?<![{_LETTER}])(?:(?:tu|te|toi|ton|ta|tes)(?![{_LETTER}])|t['’])")
_QUOTED = regex.compile(r"「[^「」]*」|『[^『』]*』")
_HIRAGANA, _KATAKANA = r"\p{Script=Hiragana}ー", r"\p{Script=Katakana}ー・ｰﾞﾟ"
_TILDES = frozenset("áéíóúÁÉÍÓÚ")


def _any(*options: str) -> Check:
    """One of the answers that a language's `constrained_response` allows stands in the text."""
    return lambda text: any(option in text for option in options)


def _enclosed(opening: str, closing: str) -> Check:
    """A title: a text between two marks on one line."""
    return lambda text: measure.enclosed(text, opening, closing)


def _wrapped(*pairs: str) -> Check:
    """All of the answer stands between two marks."""
    return lambda text: len(text.strip()) > 1 and text.strip()[0] + text.strip()[-1] in pairs


def _without(characters: str) -> Check:
    return lambda text: not any(char in text for char in characters)


def _none_of(pattern: str) -> Check:
    """Nothing in the text matches."""
    compiled = regex.compile(pattern)
    return lambda text: compiled.search(text) is None


def _marked(opening: str, closing: str) -> Check:
    """A sentence stands between its two marks."""
    compiled = regex.compile(rf"{opening}([^{opening}{closing}]*){closing}")
    return lambda text: any(found.strip() for found in compiled.findall(text))


def _capital(language: str) -> Check:
    return lambda text: text.isupper() and speaks(text.lower(), language)


def _lowercase(language: str) -> Check:
    return lambda text: text.islower() and speaks(text, language)


def es_bullets(text: str, *, num_bullets: int) -> bool:
    """Exactly so many lines that begin with one asterisk."""
    return len(regex.findall(r"^[^\S\n]*\*[^*\n]", text, regex.MULTILINE)) == num_bullets


def es_end_checker(text: str, *, end_phrase: str) -> bool:
    """The answer ends with a phrase; a quotation mark and one full stop may follow it."""
    said = measure.fold(text).strip().strip('"')
    wanted = measure.fold(end_phrase).strip()
    return said.endswith(wanted) or said.removesuffix(".").endswith(wanted)


def es_enie(text: str, *, let_frequency: int) -> bool:
    """Exactly so many words with ñ."""
    return _having("ñ", text) == let_frequency


def es_dieresis(text: str, *, let_frequency: int) -> bool:
    """Exactly so many words with ü."""
    return _having("ü", text) == let_frequency


def es_tildes(text: str, *, num_words: int, relation: str) -> bool:
    """So many words with an acute accent over a vowel."""
    composed = unicodedata.normalize("NFC", text)
    return holds(sum(1 for word in measure.words(composed) if _TILDES.intersection(word)), relation, num_words)


def fr_forbidden_character(text: str, *, forbidden_char: str) -> bool:
    """A letter (ç or œ) stands nowhere, small or capital."""
    return measure.pieces(forbidden_char, text) == 0


def fr_no_accents(text: str) -> bool:
    """No letter has a mark: no accent, cedilla or diaeresis."""
    return not any(unicodedata.combining(char) for char in unicodedata.normalize("NFD", text))


def fr_accents(text: str, *, word_to_accentuate: Mapping[str, str | None]) -> bool:
    """Every given word that stands there, with whatever accents, has the right ones."""
    right = {key: measure.fold(word) for key, word in word_to_accentuate.items() if word}
    found = ((_bare(word), measure.fold(word)) for word in regex.findall(r"\w+", unicodedata.normalize("NFC", text)))
    return all(right.get(bare, word) == word for bare, word in found)


def ja_letter_frequency(text: str, *, letter: str, let_frequency: int, let_relation: str) -> bool:
    """A kana stands there so many times, in Hiragana and in Katakana together."""
    katakana = chr(ord(letter) + 96) if len(letter) == 1 and "ぁ" <= letter <= "ゖ" else ""
    count = text.count(letter) + (text.count(katakana) if katakana else 0) if letter else 0
    return holds(count, let_relation, let_frequency)


def ja_number_letters(text: str, *, num_letters: int, relation: str) -> bool:
    """So many characters: code points, spaces and line breaks among them."""
    return holds(len(text), relation, num_letters)


def ja_bullets(text: str, *, num_bullets: int) -> bool:
    """Exactly so many lines that begin with one middle dot."""
    return len(regex.findall(r"^[^\S\n]*・[^・\n]", text, regex.MULTILINE)) == num_bullets


def ja_numbered(text: str, *, num_items: int) -> bool:
    """Exactly so many lines that begin with a number, a full stop and a space."""
    return len(regex.findall(r"^[^\S\n]*\p{Nd}+\.\s", text, regex.MULTILINE)) == num_items


def ja_highlights(text: str, *, num_highlights: int) -> bool:
    """At least so many texts in 《》."""
    return sum(1 for found in regex.findall(r"《([^\n《》]*)》", text) if found.strip()) >= num_highlights


def ja_sections(text: str, *, section_spliter: str, num_sections: int) -> bool:
    """At least so many headings like 第1章."""
    return len(regex.findall(r"第\p{Nd}+" + regex.escape(section_spliter.strip()), text)) >= num_sections


def ja_end_checker(text: str, *, end_phrase: str) -> bool:
    """The answer ends with a phrase; closing brackets do not count."""
    return text.strip().rstrip("」』").endswith(end_phrase.strip().strip("「」『』"))


def ja_unified_end(text: str, *, ending: str) -> bool:
    """Every sentence, quotations left out, ends in the same letters before 。, ！ or ？."""
    parts = (part.strip() for part in regex.split(r"[。！？]", _QUOTED.sub("", text)))
    return all(part.endswith(ending) for part in parts if part)


def ja_nominal_ending(text: str, *, count: int) -> bool:
    """At least so many sentences end in a noun; told here by a last letter that is Han or Katakana."""
    ends = regex.findall(rf"[\p{{Script=Han}}々{_KATAKANA}][。！？]", _QUOTED.sub("", text))
    return len(ends) >= count


def ja_furigana(text: str) -> bool:
    """Every run of Han characters is followed by its reading: Hiragana in full-width brackets."""
    runs = regex.findall(r"[\p{Script=Han}]+(（[ぁ-んー]+）)?", text)
    return all(runs)


def ja_kanji(text: str, *, kanji_limit: int, relation: str) -> bool:
    """So many Han characters."""
    return holds(len(regex.findall(r"\p{Script=Han}", text)), relation, kanji_limit)


_ES: Mapping[str, Check] = MappingProxyType(
    {
        "detectable_format:number_bullet_lists": es_bullets,
        "detectable_format:constrained_response": _any("Sí.", "No.", "Quizás."),
        "startend:end_checker": es_end_checker,
        "change_case:spanish_capital": _capital("es"),
        "change_case:spanish_lowercase": _lowercase("es"),
        "punctuation:question_marks": _marked("¿", r"\?"),
        "punctuation:exclamation_marks": _marked("¡", "!"),
        "special_character:enie": es_enie,
        "special_character:tildes": es_tildes,
        "special_character:dieresis": es_dieresis,
    }
)
_FR: Mapping[str, Check] = MappingProxyType(
    {
        "detectable_format:constrained_response": _any("Oui.", "Non.", "Peut-être."),
        "detectable_format:title": _enclosed("##", "##"),
        "startend:quotation": _wrapped('""', "''", "«»", "“”"),
        "change_case:french_capital": _capital("fr"),
        "change_case:french_lowercase": _lowercase("fr"),
        "special_character:ethel_or_cedilla": fr_forbidden_character,
        "special_character:no_accents": fr_no_accents,
        "special_character:accents": fr_accents,
        "detectable_content:informal_address": lambda text: _FAMILIAR.search(text) is not None,
        "detectable_content:no_digits": _none_of(r"\p{Nd}"),
    }
)
_JA: Mapping[str, Check] = MappingProxyType(
    {
        "keywords:letter_frequency": ja_letter_frequency,
        "length_constraints:number_letters": ja_number_letters,
        "detectable_format:number_bullet_lists": ja_bullets,
        "detectable_format:number_numbered_lists": ja_numbered,
        "detectable_format:constrained_response": _any(
            "はい、そうです。", "いいえ、違います。", "どちらとも言えません。"
        ),
        "detectable_format:number_highlighted_sections": ja_highlights,
        "detectable_format:multiple_sections": ja_sections,
        "detectable_format:title": _enclosed("『", "』"),
        "detectable_format:nominal_ending": ja_nominal_ending,
        "startend:end_checker": ja_end_checker,
        "startend:quotation": _wrapped("「」"),
        "startend:sentence_unified_end": ja_unified_end,
        "letters:furigana": ja_furigana,
        "letters:kansuuji": _none_of(r"\p{Nd}"),
        "letters:kanji": ja_kanji,
        "letters:no_hiragana": _none_of(r"\p{Script=Hiragana}"),
        "letters:hiragana_only": _none_of(rf"(?V1)[\p{{L}}--[{_HIRAGANA}]]"),
        "letters:no_katakana": _none_of(r"\p{Script=Katakana}"),
        "letters:katakana_only": _none_of(rf"(?V1)[\p{{L}}--[{_KATAKANA}]]"),
        "punctuation:no_comma": _without("、"),
        "punctuation:no_period": _without("。"),
    }
)
# IFEval's ids that a language has not: its letters have no case, or it counts letters in place of words.
_NOT_ES = frozenset({"change_case:english_capital", "change_case:english_lowercase"})
_NOT_JA = frozenset({*_NOT_ES, "change_case:capital_word_frequency", "length_constraints:number_words"})

MIFEVAL: Mapping[str, Check] = MappingProxyType(
    {
        **{f"en:{name}": check for name, check in IFEVAL.items()},
        **{f"es:{name}": check for name, check in {**IFEVAL, **_ES}.items() if name not in _NOT_ES},
        **{f"fr:{name}": check for name, check in {**IFEVAL, **_FR}.items() if name not in _NOT_ES},
        **{f"ja:{name}": check for name, check in {**IFEVAL, **_JA}.items() if name not in _NOT_JA},
    }
)
"""The instructions of M-IFEval by their ids."""

_OWN_OPTIONS = ("detectable_format:constrained_response", "detectable_format:multiple_sections")
UNVERIFIED = (
    frozenset(
        {
            *(f"{prefix}:{name}" for prefix in ("en", "es", "fr", "ja") for name in _OF_IFEVAL - {*_OWN_OPTIONS}),
            # The tool tells words with spaCy and sentences with spaCy or nltk.
            *(f"es:special_character:{name}" for name in ("enie", "tildes", "dieresis")),
            *(
                f"{code}:change_case:{name}_{case}"
                for code, name in (("es", "spanish"), ("fr", "french"))
                for case in ("capital", "lowercase")
            ),
            # The tool tells words with janome; here a keyword counts wherever its characters stand.
            "ja:keywords:existence",
            "ja:keywords:frequency",
            "ja:keywords:forbidden_words",
            # Only a morphological analyser knows a noun.
            "ja:detectable_format:nominal_ending",
        }
    )
    & MIFEVAL.keys()
)
"""Instructions whose verdicts were not compared with the tool's own, and why they may differ."""


def _having(letter: str, text: str) -> int:
    return sum(1 for word in measure.words(text) if letter in measure.fold(word))


def _bare(word: str) -> str:
    """A word without its accents, case folded."""
    return "".join(char for char in unicodedata.normalize("NFD", measure.fold(word)) if not unicodedata.combining(char))
