"""How numbers, reasons and names are put into words. Everything here turns a value into text for people.

Functions answer in the language of the request, in English where there is none. What records and data show as it stands
(`METRICS`, `REASONS`) is English here, and is translated where it is said; `leaderboard.catalogues` knows these texts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from bench.energy.reasons import MEANINGS
from bench.records import Cell
from bench.summary import ERRORS_ALLOWED, TOO_FEW_ITEMS
from leaderboard import numerals
from leaderboard.records import Mean
from tasks import FLAWS

if TYPE_CHECKING:  # a page's records are made of what the board says, and the board needs these words
    from leaderboard.pages import EnergyTable
    from leaderboard.standings import Group

MISSING = "–"
MINUS = "\N{MINUS SIGN}"

UNRANKED, UNCOUNTED = "not ranked: ", "not counted: "
"""How reasons begin that also stand where this has been said already."""


@dataclass(frozen=True, slots=True)
class MetricFacts:
    """A metric as readers meet it. Metrics of different families are never averaged with one another."""

    name: str
    label: str
    family: str
    best: float
    meaning: str


METRICS = {
    facts.name: facts
    for facts in (
        MetricFacts("accuracy", "Accuracy", "accuracy", 1.0, "the share of questions answered with the right option"),
        MetricFacts(
            "exact_match", "Exact match", "exact match", 1.0, "the share of answers that are the expected text"
        ),
        MetricFacts(
            "answer_match", "Answer match", "exact match", 1.0, "the share of answers with the words of an accepted one"
        ),
        MetricFacts("obeyed", "Obeyed", "obeyed", 1.0, "the share of answers that broke no rule"),
        MetricFacts("label_f1", "Label F1", "label F1", 1.0, "labels named rightly, over all named and all that apply"),
        MetricFacts("exact_set", "Exact set", "exact match", 1.0, "the share of answers with just the right labels"),
        MetricFacts(
            "glossary_recall", "Glossary recall", "glossary recall", 1.0, "the share of required terms that were used"
        ),
        MetricFacts("chrf", "chrF", "chrF", 100.0, "overlap of letters with a human text, 0 to 100"),
        MetricFacts("chrf++", "chrF++", "chrF", 100.0, "overlap of letters and words with a human text, 0 to 100"),
        MetricFacts("bleu", "BLEU", "BLEU", 100.0, "overlap of word sequences with a human text, 0 to 100"),
        MetricFacts("ter", "TER", "TER", 0.0, "edits and shifts to reach a human text, for each 100 of its words"),
        MetricFacts("cer", "CER", "CER", 0.0, "code points to change for each 100 of the right text"),
        MetricFacts("cer-grapheme", "CER-grapheme", "CER-grapheme", 0.0, "letters to change for each 100"),
        MetricFacts("wer", "WER", "WER", 0.0, "words to change for each 100 of the right text"),
        MetricFacts("token_f1", "Token F1", "token F1", 1.0, "words shared with the expected answer"),
        MetricFacts("rouge_l", "ROUGE-L", "ROUGE-L", 100.0, "words shared in the same order, 0 to 100"),
    )
}

REASONS = {
    "too_few_items": f"fewer than {TOO_FEW_ITEMS} items: shown, not counted",
    "too_few_clusters": "too few independent passages or documents for an interval",
    "no_items": "no item was scored",
    "no_training_split": "this floor learns from training examples, and the task has none",
    "too_many_errors": f"withheld: more than {ERRORS_ALLOWED * 100:.1f} % of the requests failed",
    "incomplete": "some requests failed: the value is over the others",
    "errors": "every request failed",
    **{code: f"{UNCOUNTED}{meaning}" for code, meaning in FLAWS.items()},
    "unreviewed_prompt": "not ranked: no speaker has reviewed the prompt in this language yet",
    "unlocked_data": "not ranked: the data file is not in the lock yet",
    "corpus_metric": "no bounds: one more text can move this score anywhere",
    "no_spread": "no interval: every resample gives the same value",
    "error_rate": "not normalised: nothing bounds an error rate from above",
    "other_items": "not in the mean: the models were not asked the same items",
    "other_signature": "not in the mean: scored by different versions or options of the metric",
    "not_asked": "not in the mean: not every model was asked",
    "speakers_unknown": "not in the mean: the number of speakers is unknown",
    "no_choice": "not normalised: there is one option to choose from",
    "prompt_truncated": "some questions were longer than the model reads, and were cut",
    "too_long": "a question or an answer to choose from was longer than the model reads",
    "not_run": "not run: this model was not asked this task in this language",
    "partial": "not ranked: some languages of the task are missing",
    "baseline": "floor, not ranked",
    "invalidated": "not ranked: a task was found wrong",
    "no_interval": "not ranked: it has no interval",
    "self_test": "self-test, not ranked",
    "no_numbers": "no language with enough items",
    "not_measured": "not measured",
    "not_generated": "options were scored and no text was written, so there is no language to judge",
    "no_language_wanted": "the answer is a number or a letter, so there is no language to judge",
    "no_letters": "no answer has letters enough to tell its script",
    "too_short": "no answer was long enough to tell its language",
    "identifier_recall": "no verdict: the identifier cannot tell this language reliably",
    "no_verdict": "no verdict",
    "too_few_items_for_1_percent": "too few items to show under 1 % of violations, however good the model",
    "not_reported": "not reported by the model",
    "uneven_repeats": "some items were asked more often than others; run again with as many repeats for all",
    "no_price": "nobody said what this model costs",
    "none_correct": "no answer was right, so there is none to divide the cost by",
    "not_in_top_logprobs": "the service does not show the probability of every option",
    "not_stated": "not stated",
}
"""Reason code -> what it means, for a reader who has read nothing else."""

AGAINST = {
    "above": _l("above the floor"),
    "below": _l("below the floor"),
    "not_separable": _l("not separable from the floor"),
}

MODES = {
    "generate": _l("writes the answer"),
    "loglikelihood": _l("likelihood of options"),
    "first_token": _l("likelihood of letters"),
}

BADGES = {
    "self_reported": _l("Self-reported"),
    "re_scored": _l("Re-scored"),
    "re_run": _l("Re-run"),
    "sealed_set": _l("Sealed set"),
}
"""How far a result was checked, from the least."""

# Direction controls and other characters that show nothing could make one name look like another.
_CATEGORIES = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_BLANK = frozenset("\u034f\u115f\u1160\u3164\uffa0\ufe0f")


def metric_of(name: str) -> MetricFacts:
    """What is known of a metric, in words; one that is new to the board is shown under its own name, 0 to 100."""
    known = _known(name)
    if name not in METRICS:
        return known
    return replace(known, label=_(known.label), family=_(known.family), meaning=_(known.meaning))


def best_of(name: str) -> float:
    """The best value that a metric can take; 0 where less is better."""
    return _known(name).best


def _known(name: str) -> MetricFacts:
    return METRICS.get(name) or MetricFacts(name, name, name, 100.0, "")


def badge_name(badge: str) -> str:
    """A badge as readers see it."""
    return str(BADGES.get(badge, badge))


def number(value: float | None, metric: str) -> str:
    """A metric's value: shares as percent, corpus scores with one decimal."""
    if value is None:
        return MISSING
    return numerals.local(f"{value:.1%}".replace("%", " %") if best_of(metric) == 1.0 else f"{value:.1f}")


def points(normalised: float | None) -> str:
    """A normalised value, 0 at chance and 100 at the best possible."""
    if normalised is None:
        return MISSING
    shown = f"{abs(normalised) * 100:.1f}"
    return numerals.local(f"{MINUS}{shown}" if normalised < 0 and shown != "0.0" else shown)


def interval(cell: Cell) -> str:
    """The 95 % interval, or why there is none."""
    if cell.ci_low is None or cell.ci_high is None:
        return reason(cell.reasons.get("ci_low", "not_stated"))
    return between(number(cell.ci_low, cell.metric), number(cell.ci_high, cell.metric))


def between(low: str, high: str) -> str:
    """From the one to the other."""
    return str(_("%(low)s to %(high)s", low=low, high=high))


def listed(said: Iterable[str]) -> str:
    """Several things one behind the other."""
    # Translators: what stands between two things of a list, with the space that belongs to it
    return str(_(", ")).join(said)


def reason(code: str) -> str:
    """A reason code in words, those of energy too; a backend's own reason as it stands."""
    return str(_(REASONS[code])) if code in REASONS else explained(code, MEANINGS)


def without_lead(code: str) -> str:
    """A reason code in words where "not ranked" or "not counted" stands before it already."""
    if code not in REASONS:
        return reason(code)
    return str(_(REASONS[code].removeprefix(UNRANKED).removeprefix(UNCOUNTED)))


def explained(code: str, meanings: Mapping[str, str]) -> str:
    """A code in words, with the detail from outside that may stand behind its colon; an unknown one as it stands."""
    bare, colon, detail = code.partition(":")
    said = str(_(meanings[bare])) if bare in meanings else plain(bare.replace("_", " "))
    return str(_("%(meaning)s (%(detail)s)", meaning=said, detail=plain(detail.strip()))) if colon else said


def spoken(text: str) -> str:
    """A text of the program that is no literal where it is shown, as those which `leaderboard.catalogues` lists."""
    return str(_(text)) if text else ""


def percent(value: float) -> str:
    """A share in percent; what is over nothing is never shown as 0.0 %."""
    shown = f"{value:.1%}"
    return numerals.local("< 0.1 %" if shown == "0.0%" and value else shown.replace("%", " %"))


def plain(text: str) -> str:
    """A name or text from outside, without the characters that could disguise it."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if one in _BLANK or unicodedata.category(one) in _CATEGORIES else one
        for one in text
    )


def way(asked: Cell | Mean | Group | EnergyTable) -> str:
    """How a model was asked: the mode, the language of the prompt where it is not English, and the examples shown."""
    said = [str(MODES[asked.mode]) if asked.mode in MODES else plain(asked.mode)]
    if asked.prompt_language == "native":
        # Translators: in the language of the task, of every language its own
        said.append(_("prompt in native"))
    elif asked.prompt_language == "english":
        said.append(_("prompt in %(language)s", language=_("English")))
    else:
        said.append(_("prompt in %(language)s", language=plain(asked.prompt_language)))
    if asked.shots:
        said.append(ngettext("%(count)s example", "%(count)s examples", asked.shots, count=numerals.count(asked.shots)))
    return listed(said)


def people(count: int | None) -> str:
    """A number of speakers, rounded as such numbers deserve."""
    if count is None:
        return MISSING
    if count >= 1_000_000:
        whole, shown = _rounded(count, 1_000_000)
        return str(ngettext("%(count)s million", "%(count)s million", whole, count=shown))
    if count >= 1_000:
        whole, shown = _rounded(count, 1_000)
        return str(ngettext("%(count)s thousand", "%(count)s thousand", whole, count=shown))
    return str(count)


def _rounded(count: int, size: int) -> tuple[int, str]:
    """So many of that size: the whole ones, and with a decimal where they are few."""
    shown = f"{count / size:.1f}" if count < 10 * size else f"{count / size:,.0f}"
    return count // size, numerals.local(shown.removesuffix(".0"))


def share(value: float, metric: str) -> str:
    """Where a value stands between zero and the metric's best, as a coordinate from 0 to 100."""
    return f"{min(max(value / (best_of(metric) or 100.0), 0.0), 1.0) * 100:.1f}"
