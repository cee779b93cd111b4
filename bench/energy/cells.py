"""Figures, quality and the tokenizer premium -> the energy fields of cells. Pure, and the one place that does it.

Whoever shows a cell got its energy here: `rescore` puts it in, and the board computes it anew before it believes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tasks
from bench.energy.figures import ENGLISH, figures
from bench.energy.records import Figures, Subject, Window
from bench.premium.records import Premiums
from bench.records import Cell, UsageError

FIELDS = (
    "output_tokens_per_joule",
    "energy_scope",
    "joules_per_request",
    "joules_per_request_low",
    "joules_per_request_high",
    "joules_per_correct",
    "joules_per_correct_low",
    "joules_per_correct_high",
    "joules_per_1000_words",
    "english_equivalent_tokens_per_joule",
    "quality_per_kilojoule",
    "language_energy_ratio",
    "premium",
    "verbosity",
    "joules_per_token_ratio",
)
"""The fields of a cell that may be missing; `reasons` has the field's own code, or "energy" for all of them."""

DOUBTS = frozenset({"drift", "no_sentinel", "repeats_vary"})
"""What is against windows that nothing is compared with them; a length limit is no such thing."""

CORPORA = ("ntrex-from-eng", "flores200-from-eng", "flores-from-eng", "tico19-from-eng", "udhr-from-eng")
"""Where a language's premium is taken from, the first that has it: news, encyclopaedia, health, law."""


@dataclass(frozen=True, slots=True)
class Energy:
    """What a run knows of its energy. `unmeasured` is why there are no windows, "" where nobody asked for any."""

    figures: Mapping[Subject, Figures]
    premiums: Mapping[tuple[str, str], float]
    unmeasured: str = ""


def energy(windows: Sequence[Window], premiums: Sequence[Premiums], unmeasured: str = "") -> Energy:
    """What windows and premiums come to."""
    known: dict[tuple[str, str], float] = {}
    for corpus in sorted(premiums, key=lambda one: CORPORA.index(one.corpus) if one.corpus in CORPORA else 99):
        for one in corpus.languages:
            if one.premium is not None and "text" not in one.reasons:
                known.setdefault((one.language, one.variety), one.premium)
    return Energy(figures(windows), known, unmeasured)


def with_energy(cells: Iterable[Cell], known: Energy) -> list[Cell]:
    """The cells with their energy fields, whatever was in these before."""
    return [_filled(cell, known) for cell in cells]


def subject_of(cell: Cell) -> Subject:
    """What windows call a cell's task and language."""
    task = f"{cell.task}@{cell.task_version}"
    return Subject(task, cell.language, cell.variety, cell.mode, cell.prompt_language, cell.shots)


def _filled(cell: Cell, known: Energy) -> Cell:
    bare = {name: why for name, why in cell.reasons.items() if name not in (*FIELDS, "energy", "energy_rank")}
    subject = subject_of(cell)
    found = known.figures.get(subject)
    premium, lacking = _premium(cell, known)
    nothing: dict[str, Any] = {**dict.fromkeys(FIELDS), "premium": premium}
    nothing |= {"energy_provenance": "none", "energy_setup": ""}
    if found is None or found.joules_per_request is None:
        # Why nothing could be measured this time comes before what was wrong with an earlier time.
        told = found.reasons.get("energy", "no_valid_window") if found else "not_measured"
        why = known.unmeasured or told
        reasons = {**bare, "energy": why, **({"premium": lacking} if lacking else {})}
        return replace(cell, **{**nothing, "energy_windows": 0, "reasons": reasons})
    values: dict[str, float | None] = {"premium": premium}
    reasons = dict(found.reasons)
    if lacking:
        reasons["premium"] = lacking
    values["joules_per_request"] = each = found.joules_per_request
    values["joules_per_request_low"], values["joules_per_request_high"] = found.low, found.high
    values["output_tokens_per_joule"] = found.output_tokens_per_joule
    for part in (_per_correct(cell, found), _per_words(cell, found), _quality(cell, each)):
        values |= part[0]
        reasons |= part[1]
    for part in (_equivalent(cell, found, premium), _ratio(cell, subject, found, known, premium)):
        values |= part[0]
        reasons |= part[1]
    if found.rank_reason:
        reasons["energy_rank"] = found.rank_reason
    # An interval's ends share their reason.
    for name in ("joules_per_request", "joules_per_correct"):
        if values.get(f"{name}_high") is None and f"{name}_low" in reasons:
            reasons[f"{name}_high"] = reasons[f"{name}_low"]
    made: dict[str, Any] = {
        "energy_scope": found.scope,
        "energy_setup": found.setup,
        "energy_windows": found.windows,
        "energy_provenance": found.provenance,
        "reasons": {**bare, **reasons},
    }
    return replace(cell, **{**nothing, **values, **made})


Part = tuple[dict[str, float | None], dict[str, str]]
"""Values by field, and reasons by the fields that have none."""


def _premium(cell: Cell, known: Energy) -> tuple[float | None, str]:
    if cell.language == ENGLISH and not cell.variety:
        return (1.0, "") if known.premiums else (None, "no_premium")
    found = known.premiums.get((cell.language, cell.variety), known.premiums.get((cell.language, "")))
    return found, "" if found is not None else "no_premium"


def _per_correct(cell: Cell, found: Figures) -> Part:
    fields = ("joules_per_correct", "joules_per_correct_low", "joules_per_correct_high")
    if cell.value is None:
        return {}, dict.fromkeys(fields, "no_quality")
    if not _counts_right(cell):
        return {}, dict.fromkeys(fields, "corpus_metric")
    if cell.value <= 0:
        return {}, dict.fromkeys(fields, "none_correct")
    if cell.ci_low is None or cell.ci_high is None or cell.ci_low <= (cell.chance or 0.0):
        return {}, dict.fromkeys(fields, "not_above_chance")
    assert found.joules_per_request is not None
    each = found.joules_per_request / cell.value
    if found.low is None or found.high is None:
        return {fields[0]: each}, dict.fromkeys(
            fields[1:], found.reasons.get("joules_per_request_low", "too_few_repeats")
        )
    # Both parts are taken as log-normal and independent: their distances add up as squares.
    down = math.hypot(math.log(found.joules_per_request / found.low), math.log(cell.ci_high / cell.value))
    up = math.hypot(math.log(found.high / found.joules_per_request), math.log(cell.value / cell.ci_low))
    return {fields[0]: each, fields[1]: each * math.exp(-down), fields[2]: each * math.exp(up)}, {}


def _counts_right(cell: Cell) -> bool:
    """Whether the metric is a share of right answers, which joules can be divided by."""
    return cell.metric in RIGHT_OR_WRONG


RIGHT_OR_WRONG = frozenset({"accuracy", "exact_match", "answer_match", "obeyed", "exact_set"})
"""The metrics whose value is a share of right answers."""


def _per_words(cell: Cell, found: Figures) -> Part:
    assert found.joules_per_request is not None
    if found.words_per_request is None:
        return {}, {"joules_per_1000_words": "no_output_tokens" if cell.mode != "generate" else "no_word_breaks"}
    if found.words_per_request <= 0:
        return {}, {"joules_per_1000_words": "no_words"}
    return {"joules_per_1000_words": found.joules_per_request / found.words_per_request * 1000}, {}


def _quality(cell: Cell, joules: float) -> Part:
    if cell.normalised is None:
        return {}, {"quality_per_kilojoule": "no_quality" if cell.value is None else "no_normalised"}
    if cell.normalised <= 0:
        return {}, {"quality_per_kilojoule": "below_chance"}
    return {"quality_per_kilojoule": cell.normalised / (joules / 1000)}, {}


def _writes_it(cell: Cell) -> bool:
    """Whether answers are texts in the cell's own language, so that its premium says something of their length."""
    task = tasks.get(cell.task)
    return cell.mode == "generate" and task.answer_language == "own" and task.kind in ("generation", "number", "rules")


def _equivalent(cell: Cell, found: Figures, premium: float | None) -> Part:
    field = "english_equivalent_tokens_per_joule"
    if found.output_tokens_per_joule is None:
        return {}, {field: found.reasons.get("output_tokens_per_joule", "tokens_unknown")}
    if not _writes_it(cell):
        return {}, {field: "answer_elsewhere"}
    if premium is None:
        return {}, {field: "no_premium"}
    return {field: found.output_tokens_per_joule / premium}, {}


def _ratio(cell: Cell, subject: Subject, found: Figures, known: Energy, premium: float | None) -> Part:
    """The Language Energy Ratio and its factors: premium x verbosity x joules per token."""
    fields = ("language_energy_ratio", "verbosity", "joules_per_token_ratio")
    english = _english(subject, known)
    if why := _incomparable(subject, found, english):
        return {}, dict.fromkeys(fields, why)
    assert english is not None
    assert english.joules_per_request is not None
    assert found.joules_per_request is not None
    ratio = found.joules_per_request / english.joules_per_request
    mine, theirs = found.output_tokens_per_request, english.output_tokens_per_request
    if not mine or not theirs:
        why = "tokens_unknown" if mine is None or theirs is None else "no_output_tokens"
        return {fields[0]: ratio}, dict.fromkeys(fields[1:], why)
    longer = mine / theirs
    values: dict[str, float | None] = {fields[0]: ratio, fields[2]: ratio / longer}
    if premium is None or not _writes_it(cell):
        return values, {fields[1]: "no_premium" if _writes_it(cell) else "answer_elsewhere"}
    return {**values, fields[1]: longer / premium}, {}


def _incomparable(subject: Subject, found: Figures, english: Figures | None) -> str:
    """Why nothing compares a subject with English, "" where it can be."""
    if subject.language == ENGLISH:
        return "is_english"
    if english is None or english.joules_per_request is None or english.provenance != found.provenance:
        return "no_english"
    if not found.questions or found.questions != english.questions:
        return "not_parallel"
    doubtful = next((doubt for doubt in english.doubts if doubt in DOUBTS), "")
    return (
        f"english_doubtful: {doubtful}" if doubtful else next((doubt for doubt in found.doubts if doubt in DOUBTS), "")
    )


def _english(subject: Subject, known: Energy) -> Figures | None:
    """English asked in the same way, of whichever variety it is."""
    for other, found in known.figures.items():
        if other.language == ENGLISH and replace(other, language=subject.language, variety=subject.variety) == subject:
            return found
    return None


def check(cells: Iterable[Cell], known: Energy, path: object) -> None:
    """Raises `UsageError` for a cell whose energy is not what the windows of its run come to."""
    for cell in cells:
        [right] = with_energy([cell], known)
        if _told(right) != _told(cell):
            raise UsageError(
                f"{path}: the energy of {cell.task} in {cell.language} is not what its windows come to; "
                f"`python -m bench rescore {path}` computes it anew"
            )


def _told(cell: Cell) -> tuple[object, ...]:
    names = (*FIELDS, "energy_setup", "energy_windows", "energy_provenance")
    reasons = tuple(cell.reasons.get(name) for name in (*FIELDS, "energy", "energy_rank"))
    return (*(getattr(cell, name) for name in names), reasons)
