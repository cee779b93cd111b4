"""IFEval's 25 instructions, read so that they mean the same in every language.

Zhou et al. (2023), Instruction-Following Evaluation for Large Language Models; written anew from the paper's
definitions, with the names and arguments of its data. Multi-IF (He et al. 2024) uses the same ones in eight languages.
What is read more widely than by the tool of the paper: keywords are plain text, not patterns; case and Unicode
composition do not count; words and sentences are Unicode's (`bench.instructions_text`); a comma, a quotation mark and a
digit may be another script's; the language is told by `bench.fidelity`, and what it gives no verdict on passes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import regex  # type: ignore[import-untyped]

import languages
from bench import instructions_text as measure
from bench.fidelity import judge

Check = Callable[..., bool]
"""An answer's text and the instruction's arguments by name -> whether it is obeyed. The text is never blank."""

UNVERIFIED = frozenset(
    {
        # The tool of the paper tells sentences, words and languages with nltk and langdetect: near a limit it differs.
        "length_constraints:number_sentences",
        "length_constraints:number_words",
        "change_case:capital_word_frequency",
        "change_case:english_capital",
        "change_case:english_lowercase",
        "language:response_language",
        # Multi-IF translates the prompts; whether the options and the marker of a section are also translated in
        # its arguments was not seen. The English options are the only ones known here.
        "detectable_format:constrained_response",
        "detectable_format:multiple_sections",
    }
)
"""Instructions whose verdicts were not compared with the tool's own, and why they may differ."""

COMMAS = (
    ",\u055d\u060c\u07f8\u1363\u1802\u1808\u2e32\u2e34\u2e41\u2e49\u2e4c\u3001\ua4fe\ua60d\ua6f5\ufe10\ufe11\ufe50"
    "\ufe51\uff0c\uff64\U0001144d\U0001145a\U00016e97\U0001da87"
)
"""The commas of all scripts: the punctuation that Unicode names one."""

_AT_LEAST = frozenset({"at least", "al menos", "au moins", "以上"})
_LESS_THAN = frozenset({"less than", "moins de", "未満"})
_AT_MOST = frozenset({"at most", "como máximo"})
_QUOTES = frozenset({'""', "“”", "””", "„“", "„”", "«»", "»«", "「」", "『』", "＂＂"})
_OPTIONS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
_WORD_WITH_HYPHENS = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['’\-‐][\p{L}\p{M}\p{N}]+)*")


def holds(actual: int, relation: str, limit: int) -> bool:
    """Whether a count stands in a relation of IFEval or M-IFEval to its limit. Raises `ValueError` for another one."""
    if relation in _AT_LEAST:
        return actual >= limit
    if relation in _LESS_THAN:
        return actual < limit
    if relation in _AT_MOST:
        return actual <= limit
    known = ", ".join(sorted(_AT_LEAST | _LESS_THAN | _AT_MOST))
    raise ValueError(f"unknown relation {relation!r}; known are {known}")


def speaks(text: str, code: str) -> bool:
    """Whether nothing says that a text is not in a language. Raises `languages.LanguageError` for an unknown code.

    A code that names a language in several scripts (`zh`) means any of them.
    """
    try:
        wanted: Sequence[languages.Language] = (languages.get(code),)
    except languages.AmbiguousLanguage as error:
        wanted = error.candidates
    return any(fits(text, language.code) for language in wanted)


def spoken(text: str) -> str:
    """What is said in an answer: the texts of a JSON object without its keys, else all of it."""
    found = unfenced_json(text) if "{" in text else None
    if found is None or not isinstance(found[0], dict):
        return text
    return "\n".join(value for value in found[0].values() if isinstance(value, str))


ENGLISH = "eng_Latn"
LIKE_ENGLISH = frozenset({ENGLISH, *(f"{one}_Latn" for one in ("bis", "jam", "pcm", "pis", "sco", "srn", "tpi"))})
"""English and what may be taken for it: Scots, and creoles whose words are English."""


def fits(text: str, code: str) -> bool:
    """Whether nothing says that a text is not in the language of a canonical code and in its script.

    English is told surely, and held against an answer also where the identifier does not know the language wanted.
    """
    (found,) = judge([text], code)
    english = found.found == ENGLISH and code not in LIKE_ENGLISH
    return found.script is not False and found.line is not False and not english


def existence(text: str, *, keywords: Sequence[str]) -> bool:
    """`keywords:existence`: each keyword stands somewhere, inside a word or by itself."""
    return all(measure.pieces(keyword, text) for keyword in keywords)


def frequency(text: str, *, keyword: str, frequency: int, relation: str) -> bool:
    """`keywords:frequency`: a keyword stands there so many times, inside words too."""
    return holds(measure.pieces(keyword, text), relation, frequency)


def forbidden_words(text: str, *, forbidden_words: Sequence[str]) -> bool:
    """`keywords:forbidden_words`: none of the words stands by itself."""
    return not any(measure.occurrences(word, text) for word in forbidden_words)


def letter_frequency(text: str, *, letter: str, let_frequency: int, let_relation: str) -> bool:
    """`keywords:letter_frequency`: a letter, small or capital, stands there so many times."""
    return holds(measure.pieces(letter, text), let_relation, let_frequency)


def response_language(text: str, *, language: str) -> bool:
    """`language:response_language`: the answer is in a language, given by its ISO 639-1 code."""
    return speaks(text, language)


def number_sentences(text: str, *, num_sentences: int, relation: str) -> bool:
    """`length_constraints:number_sentences`."""
    return holds(len(measure.sentences(text)), relation, num_sentences)


def number_paragraphs(text: str, *, num_paragraphs: int) -> bool:
    """`length_constraints:number_paragraphs`: so many, divided by ***; only the first and the last may be blank."""
    return _parts(text, "***") == num_paragraphs


def number_words(text: str, *, num_words: int, relation: str) -> bool:
    """`length_constraints:number_words`; characters where the script has no spaces."""
    return holds(len(measure.words(text)), relation, num_words)


def nth_paragraph_first_word(text: str, *, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """`length_constraints:nth_paragraph_first_word`: paragraphs divided by blank lines, the n-th begins with a word."""
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
    if len(paragraphs) != num_paragraphs or not 1 <= nth_paragraph <= num_paragraphs:
        return False
    first = paragraphs[nth_paragraph - 1].lstrip("\"'“‘«¿¡「『 ")
    wanted = measure.fold(first_word).strip()
    opening = measure.fold(first)[: len(wanted) + 1]
    return measure.fold(first).startswith(wanted) and measure.occurrences(wanted, opening) > 0


def number_placeholders(text: str, *, num_placeholders: int) -> bool:
    """`detectable_content:number_placeholders`: at least so many texts in square brackets."""
    return len(regex.findall(r"\[[^\[\]\n]*\]", text)) >= num_placeholders


def postscript(text: str, *, postscript_marker: str) -> bool:
    """`detectable_content:postscript`: its marker stands there, not inside a word; spaces after its full stops may."""
    marker = regex.sub(r"\s+", "", measure.fold(postscript_marker))
    pattern = r"\s?".join(regex.escape(part) for part in regex.findall(r"[^.]+\.?|\.", marker))
    return bool(pattern and regex.search(r"(?<![\p{L}\p{M}\p{N}])" + pattern, measure.fold(text)))


def number_bullet_lists(text: str, *, num_bullets: int) -> bool:
    """`detectable_format:number_bullet_lists`: exactly so many lines that begin with * or -."""
    return len(regex.findall(r"^[^\S\n]*(?:\*[^*\n]|-)", text, regex.MULTILINE)) == num_bullets


def constrained_response(text: str) -> bool:
    """`detectable_format:constrained_response`: one of three English answers stands there."""
    return any(option in text for option in _OPTIONS)


def number_highlighted_sections(text: str, *, num_highlights: int) -> bool:
    """`detectable_format:number_highlighted_sections`: at least so many *texts* or **texts**."""
    found = regex.findall(r"\*\*([^\n*]+)\*\*|\*([^\n*]+)\*", text)
    return sum(1 for double, single in found if (double or single).strip()) >= num_highlights


def multiple_sections(text: str, *, section_spliter: str, num_sections: int) -> bool:
    """`detectable_format:multiple_sections`: at least so many headings like "Section 1"."""
    return len(regex.findall(regex.escape(section_spliter.strip()) + r"\s?\p{Nd}+", text)) >= num_sections


def json_format(text: str) -> bool:
    """`detectable_format:json_format`: all of it is JSON, in a code fence or bare."""
    return unfenced_json(text) is not None


def title(text: str) -> bool:
    """`detectable_format:title`: a text in << >>."""
    return measure.enclosed(text, "<<", ">>")


def two_responses(text: str) -> bool:
    """`combination:two_responses`: two different answers, divided by ******."""
    if _parts(text, "******") != 2:
        return False
    one, other = (part.strip() for part in text.split("******") if part.strip())
    return one != other


def repeat_prompt(text: str, *, prompt_to_repeat: str) -> bool:
    """`combination:repeat_prompt`: the request first, word for word."""
    return measure.fold(text).strip().startswith(measure.fold(prompt_to_repeat).strip())


def end_checker(text: str, *, end_phrase: str) -> bool:
    """`startend:end_checker`: the answer ends with a phrase; a quotation mark may close it."""
    return measure.fold(text).strip().strip('"').endswith(measure.fold(end_phrase).strip())


def quotation(text: str) -> bool:
    """`startend:quotation`: all of it stands in double quotation marks, of any language's."""
    text = text.strip()
    return len(text) > 1 and text[0] + text[-1] in _QUOTES


def capital_word_frequency(text: str, *, capital_frequency: int, capital_relation: str) -> bool:
    """`change_case:capital_word_frequency`: so many words all in capitals; hyphens and apostrophes divide none."""
    shouted = sum(1 for word in _WORD_WITH_HYPHENS.findall(text) if word.isupper())
    return holds(shouted, capital_relation, capital_frequency)


def english_capital(text: str) -> bool:
    """`change_case:english_capital`: English, all in capitals."""
    return text.isupper() and speaks(text.lower(), "en")


def english_lowercase(text: str) -> bool:
    """`change_case:english_lowercase`: English, all in small letters."""
    return text.islower() and speaks(text, "en")


def no_comma(text: str) -> bool:
    """`punctuation:no_comma`: no comma of any script."""
    return not any(comma in text for comma in COMMAS)


IFEVAL: Mapping[str, Check] = MappingProxyType(
    {
        "keywords:existence": existence,
        "keywords:frequency": frequency,
        "keywords:forbidden_words": forbidden_words,
        "keywords:letter_frequency": letter_frequency,
        "language:response_language": response_language,
        "length_constraints:number_sentences": number_sentences,
        "length_constraints:number_paragraphs": number_paragraphs,
        "length_constraints:number_words": number_words,
        "length_constraints:nth_paragraph_first_word": nth_paragraph_first_word,
        "detectable_content:number_placeholders": number_placeholders,
        "detectable_content:postscript": postscript,
        "detectable_format:number_bullet_lists": number_bullet_lists,
        "detectable_format:constrained_response": constrained_response,
        "detectable_format:number_highlighted_sections": number_highlighted_sections,
        "detectable_format:multiple_sections": multiple_sections,
        "detectable_format:json_format": json_format,
        "detectable_format:title": title,
        "combination:two_responses": two_responses,
        "combination:repeat_prompt": repeat_prompt,
        "startend:end_checker": end_checker,
        "startend:quotation": quotation,
        "change_case:capital_word_frequency": capital_word_frequency,
        "change_case:english_capital": english_capital,
        "change_case:english_lowercase": english_lowercase,
        "punctuation:no_comma": no_comma,
    }
)
"""The instructions of IFEval by their ids."""


def unfenced_json(text: str) -> tuple[object] | None:
    """The one value that a text is in JSON, bare or in a Markdown code fence; None where it is no JSON."""
    bare = regex.sub(r"\A```(?:json)?", "", text.strip(), flags=regex.IGNORECASE).removesuffix("```")
    try:
        return (json.loads(bare),)
    except (ValueError, RecursionError):
        return None


def _parts(text: str, divider: str) -> int:
    """How many parts a divider makes, blank ones at the two ends apart; -1 where one in between is blank."""
    parts = text.split(divider)
    inner = parts[1:-1]
    return sum(1 for part in parts if part.strip()) if all(part.strip() for part in inner) else -1
