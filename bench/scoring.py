"""Responses -> scores. Pure functions; the arithmetic is `kernels`'."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np

import kernels
from bench import extraction, fidelity, rules
from bench.extraction_text import without_reasoning
from bench.prompting import order
from bench.records import Mode, Outcome, Response, Score
from bench.text import one_line
from kernels.choices import choose
from kernels.glossary import ALTERNATIVES
from tasks.records import Sample, Task

RIGHT, WRONG = (1, 1), (0, 1)

LETTERS_OF_A_LINE = 25
"""What it takes to tell the language of a Latin line: in a foreign script too, an answer with fewer has no language."""
FIDELITY = "fidelity"
"""The name under which a run file keeps what was found of an answer's language: see `Verdicts`."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A sample, the mode in which it was asked, the response, how often it was asked before, and the answer's cost."""

    sample: Sample
    mode: Mode
    response: Response
    repeat: int = 0
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What one answer, or the sum of many, says of its language: each counts answers. The order is the run file's.

    `judged` are long enough for a verdict on their language, and `right` are in the wanted one; `pure` of the `clean`
    ones (those whose words could be judged) have no stray words; `native` and `other` write digits of the script or
    other ones; `scripted` have letters enough to judge the script, and `lettered` are in the wanted one. A short answer
    counts under `scripted` alone: its script is evidence, and its language would only ever be evidence against it.
    """

    judged: int
    right: int
    clean: int
    pure: int
    native: int
    other: int
    scripted: int
    lettered: int


def score(task: Task, answered: Sequence[Answered], rotation: int = 0) -> list[Score]:
    """The scores of the answers with status `ok` to one task: every metric of every answer, and their language.

    `rotation` is by how many places the options were moved on when they were shown.
    """
    usable = [one for one in answered if one.response.status == "ok"]
    return [*_SCORERS[task.kind](task, usable, rotation), *languages_of(task, usable)]


def metric_for(task: Task, name: str, language: str) -> kernels.Metric:
    """A metric of a task with the options that the language of its answers asks for.

    BLEU takes sacreBLEU's tokenizer for Chinese, and characters where words are written without spaces between them;
    metrics of words go by the language's articles and letter case. The signature says which.
    """
    written = language if task.answer_language in ("own", "none") else task.answer_language
    if name == "bleu":
        script = written.rpartition("_")[2]
        return kernels.metric(name, tokenize=_TOKENIZERS.get(script, "13a"))
    return kernels.metric(name, language=written) if name in _OF_WORDS else kernels.metric(name)


_TOKENIZERS = {"Hans": "zh", "Hant": "zh", **dict.fromkeys(("Jpan", "Khmr", "Laoo", "Mymr", "Thai", "Tibt"), "char")}
_OF_WORDS = frozenset({"answer_match", "glossary_recall", "token_f1"})


def streams(samples: Sequence[Sample]) -> list[list[str | None]]:
    """The samples' references as sacreBLEU's streams: None where a sample has fewer than another."""
    width = max((len(sample.references) for sample in samples), default=0)
    return [
        [one_line(sample.references[place]) if place < len(sample.references) else None for sample in samples]
        for place in range(width)
    ]


def _texts(task: Task, usable: Sequence[Answered], rotation: int) -> list[Score]:
    if not usable:
        return []
    texts = [one_line(without_reasoning(one.response.text)).strip() for one in usable]
    samples = [one.sample for one in usable]
    scores = []
    for name in task.metrics:
        # The forms of a glossary's term are references of their own to any other metric.
        apart = "glossary_recall" in task.metrics and name != "glossary_recall"
        references = streams([_apart(sample) for sample in samples] if apart else samples)
        rows = metric_for(task, name, samples[0].language).statistics(texts, references).tolist()
        for one, text, row in zip(usable, texts, rows, strict=True):
            outcome = "scored" if text else _silent(one.response)
            scores.append(Score(one.response.request, name, outcome, tuple(row)))
    return scores


def _apart(sample: Sample) -> Sample:
    forms = [form for reference in sample.references for form in reference.split(ALTERNATIVES)]
    return replace(sample, references=tuple(forms))


def _choices(task: Task, usable: Sequence[Answered], rotation: int) -> list[Score]:
    scores = []
    for one, likeliest in zip(usable, _likeliest(usable), strict=True):
        chosen, outcome = chosen_option(task, one, likeliest, rotation)
        scores.append(Score(one.response.request, "accuracy", outcome, RIGHT if chosen == one.sample.answer else WRONG))
    return scores


def chosen_option(task: Task, one: Answered, likeliest: int | None, rotation: int) -> tuple[int | None, Outcome]:
    """The option of the sample that an answer chose, None where it cannot be told, and what became of the answer."""
    shown = order(task, one.sample, rotation if one.mode != "loglikelihood" else 0)
    if one.mode != "generate":
        return (None, "unparsed") if likeliest is None else (shown[likeliest], "scored")
    place = extraction.choice(one.response.text, [one.sample.options[index] for index in shown])
    return (None if place is None else shown[place]), _outcome(one.response, found=place is not None)


def _numbers(task: Task, usable: Sequence[Answered], rotation: int) -> list[Score]:
    scores = []
    for one in usable:
        found = extraction.number(one.response.text)
        gold = extraction.canonical_number(one.sample.references[0])
        right = found is not None and found == gold
        outcome = _outcome(one.response, found=found is not None)
        scores.append(Score(one.response.request, "accuracy", outcome, RIGHT if right else WRONG))
    return scores


def _labels(task: Task, usable: Sequence[Answered], rotation: int) -> list[Score]:
    """Micro F1 from right, wrong and missed labels; and whether the set is exactly the gold one."""
    scores: list[Score] = []
    for one in usable:
        found = extraction.labels(one.response.text, one.sample.options)
        named, gold = set(found or ()), set(one.sample.answers)
        outcome = _outcome(one.response, found=found is not None)
        counts = (len(named & gold), len(named - gold), len(gold - named))
        exact = RIGHT if found is not None and named == gold else WRONG
        rows = {"label_f1": counts, "exact_set": exact}
        scores.extend(Score(one.response.request, name, outcome, rows[name]) for name in task.metrics)
    return scores


def _rules(task: Task, usable: Sequence[Answered], rotation: int) -> list[Score]:
    scores = []
    for one in usable:
        text = without_reasoning(one.response.text)
        outcome: Outcome = "scored" if text.strip() else _silent(one.response)
        kept = bool(text.strip()) and rules.obeyed(text, one.sample.references[0])
        scores.append(Score(one.response.request, "obeyed", outcome, RIGHT if kept else WRONG))
    return scores


_SCORERS: dict[str, Callable[[Task, Sequence[Answered], int], list[Score]]] = {
    "choice": _choices,
    "generation": _texts,
    "number": _numbers,
    "labels": _labels,
    "rules": _rules,
}


def languages_of(task: Task, usable: Sequence[Answered]) -> list[Score]:
    """What each generated answer says of its language: `Verdicts` of one."""
    said = [(one, without_reasoning(one.response.text)) for one in usable if one.mode == "generate"]
    speaking = [(one, text) for one, text in said if text.strip() and not _names_an_option(one.sample, text)]
    if not speaking:
        return []
    generated, texts = zip(*((one, rules.spoken(text)) for one, text in speaking), strict=True)
    scores = []
    own = generated[0].sample.language
    any_language = task.answer_language == "none"  # digits are looked at all the same
    wanted = own if any_language or task.answer_language == "own" else task.answer_language
    for one, text, found in zip(generated, texts, fidelity.judge(texts, wanted), strict=True):
        long = found.script is not False or sum(map(str.isalpha, text)) >= LETTERS_OF_A_LINE
        judged = found.line is not None and long and not any_language
        row = astuple(
            Verdicts(
                judged=int(judged),
                right=int(judged and found.line is True),
                clean=int(found.word is not None and not any_language),
                pure=int(found.word is True and not any_language),
                native=int(found.native_digits is True),
                other=int(found.native_digits is False),
                scripted=int(found.script is not None and not any_language),
                lettered=int(found.script is True and not any_language),
            )
        )
        if any(row):
            scores.append(Score(one.response.request, FIDELITY, "scored", row))
    return scores


def _names_an_option(sample: Sample, text: str) -> bool:
    """Whether an answer to a choice is hardly more than a letter or the option itself, whose language was not its."""
    if not sample.options:
        return False
    short = sum(map(str.isalpha, text)) < LETTERS_OF_A_LINE
    return short or text.strip(" .*\"'").casefold() in {option.strip(" .").casefold() for option in sample.options}


def _likeliest(answered: Sequence[Answered]) -> list[int | None]:
    """Each answer's most likely option; None where they say nothing: too few, not a number, or all impossible."""
    told = [
        one.response.loglikelihoods if len(one.response.loglikelihoods) == len(one.sample.options) else ()
        for one in answered
    ]
    offsets = np.cumsum([0, *map(len, told)])
    chosen = choose(np.array([value for values in told for value in values], dtype=np.float64), offsets)
    return [None if option < 0 else option for option in chosen.tolist()]


def _outcome(response: Response, *, found: bool) -> Outcome:
    if found:
        return "scored"
    if response.finish == "length":
        return "truncated"  # it was cut off before it came to its answer
    return "unparsed" if response.text.strip() else _silent(response)


def _silent(response: Response) -> Outcome:
    if response.finish == "length":
        return "truncated"
    return "refused" if response.finish == "filter" else "empty"


def chance(task: Task, samples: Iterable[Sample]) -> float:
    """What blind choice scores: the task's word for it, else the mean of 1 / options, and 0 for what is no choice."""
    if task.chance is not None:
        return task.chance
    if task.kind != "choice":
        return 0.0
    shares = [1 / len(sample.options) for sample in samples]
    return sum(shares) / len(shares)
