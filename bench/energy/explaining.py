"""What a run's energy figures are made of: its windows, what they come to, the controls, and what is missing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from statistics import fmean
from types import MappingProxyType

from bench.energy import checks
from bench.energy.attribution import Costs, Phases, attributed, fit, phase_split
from bench.energy.cells import FIELDS, subject_of
from bench.energy.checked import Checked, checked, compared
from bench.energy.figures import ENGLISH, FEWEST_WINDOWS, figures, joules_per_request, latest_setup
from bench.energy.reasons import FATAL, UNRANKED
from bench.energy.records import PROMPT_ONLY, Figures, Method, Scope, Stretch, Subject, Window
from bench.energy.schedule import drifts, is_valid, joules_per_token
from bench.records import Cell

EQUAL = 0.03
"""Joules per token at equal lengths should not be further than this from their mean, whatever the language."""
SAME_LENGTH = 0.02
"""Prompts and answers of a control should be of one length in all languages; more apart, and it is none."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Windows that may be compared. `idle_watts` is the power of doing nothing with the model loaded."""

    setup: str
    scope: Scope
    method: Method
    windows: int
    valid: int
    seconds: float
    joules: float | None
    idle_watts: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One window. Tokens are output tokens; joules and watts of the steady stretch, the whole where there is none.

    `watts` is None where one step of a counter would be much of a short stretch. `reasons` hold drift as well, which a
    window does not know of itself.
    """

    number: int
    kind: str
    task: str
    language: str
    steady_seconds: float | None
    whole_seconds: float
    requests: int
    tokens: int | None
    joules: float | None
    watts: float | None
    batch_asked: int
    batch_reached: float | None
    valid: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One task in one language. `figures` are of its windows, `cell` has what needs quality and the premium as well.

    `whole_tokens_per_joule` is over whole windows; `whole_to_steady` is that over the figure of steady stretches.
    `unranked` is every reason that keeps the figures out of rankings, where `figures.rank_reason` has the first.
    """

    subject: Subject
    figures: Figures
    whole_tokens_per_joule: float | None
    whole_to_steady: float | None
    unranked: tuple[str, ...]
    cell: Cell | None


@dataclass(frozen=True, slots=True)
class Controlled:
    """One language at fixed lengths. `relative` is its joules per token over the mean of all languages."""

    language: str
    windows: int
    prompt_tokens: float | None
    output_tokens: float | None
    joules_per_token: float | None
    relative: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Control:
    """The fixed-length control. `equal`: whether all languages are within `EQUAL`; None has its `reason`."""

    languages: tuple[Controlled, ...]
    largest: float | None
    equal: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """A field that cells do not have for one reason.

    `field` "energy" stands for all of them, "quality" for those that a score or the premium is needed for.
    """

    field: str
    reason: str
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that stands behind the figures of a run. `sentinels` are what ran between windows to show drift."""

    setups: tuple[Setup, ...]
    windows: tuple[Line, ...]
    entries: tuple[Entry, ...]
    control: Control | None
    phases: Phases | None
    costs: Costs | None
    checks: tuple[Checked, ...]
    missing: tuple[Missing, ...]
    sentinels: tuple[Subject, ...] = ()


def explain(windows: Sequence[Window], cells: Sequence[Cell] = ()) -> Explanation:
    """Windows in the order of measuring, and cells of the same run, if it is scored."""
    latest = [window for window in windows if window.setup == latest_setup(windows)]
    made = attributed(windows)
    against = {setup: drifts(one for one in windows if one.setup == setup) for setup in _setups(windows)}
    drifting = against.get(latest_setup(windows), {})
    entries = tuple(_entries(latest, cells, drifting))
    controls = [one for one in latest if one.kind == "control" and one.subject.mode != PROMPT_ONLY]
    short = [one for one in latest if one.kind == "control" and one.subject.mode == PROMPT_ONLY]
    long = [one for one in controls if short and one.subject.language == short[0].subject.language]
    return Explanation(
        setups=tuple(_setup([one for one in windows if one.setup == name]) for name in _setups(windows)),
        windows=tuple(_line(window, against[window.setup]) for window in made),
        entries=entries,
        control=control(controls, drifting) if controls else None,
        phases=phase_split(short, long) if short else None,
        costs=fit(latest) if any(window.kind == "mixed" for window in latest) else None,
        checks=(*checked(made), *compared(latest, drifting)),
        missing=tuple(_missing(cells, entries)),
        sentinels=tuple(dict.fromkeys(window.subject for window in latest if window.kind == "sentinel")),
    )


def control(windows: Sequence[Window], against: Mapping[int, str] = MappingProxyType({})) -> Control:
    """Whether a language costs more for any other reason than its number of tokens, from windows of fixed lengths.

    `against` has window number -> "drift" or "no_sentinel". There is no verdict with either, nor from fewer than
    `FEWEST_WINDOWS` valid windows in a language.
    """
    found = [
        _controlled(language, [window for window in windows if _code(window.subject) == language])
        for language in dict.fromkeys(_code(window.subject) for window in windows)
    ]
    known = [(one, one.joules_per_token) for one in found if one.joules_per_token is not None]
    if len(known) < 2:
        return Control(tuple(found), None, None, "no_valid_window")
    mean = fmean(each for _, each in known)
    placed = tuple(
        replace(one, relative=one.joules_per_token / mean) if one.joules_per_token is not None else one for one in found
    )
    largest = max(abs(each / mean - 1) for _, each in known)
    prompts = [one.prompt_tokens for one, _ in known]
    outputs = [one.output_tokens for one, _ in known]
    if not (_same(prompts) and _same(outputs)):
        return Control(placed, largest, None, "lengths_differ")
    if few := [one.language for one, _ in known if one.windows < FEWEST_WINDOWS]:
        return Control(placed, largest, None, f"too_few_repeats: {', '.join(few)}")
    doubts = {against[one.number] for one in windows if one.number in against and joules_per_token(one) is not None}
    if doubts:
        return Control(placed, largest, None, min(doubts))  # drift before no_sentinel
    return Control(placed, largest, largest <= EQUAL)


def _controlled(language: str, windows: Sequence[Window]) -> Controlled:
    valid = [(window, each) for window in windows if (each := joules_per_token(window)) is not None]
    if not valid:
        return Controlled(language, 0, None, None, None, reason=_why(windows[-1]))
    works = [window.whole.work for window, _ in valid]
    requests = sum(work.requests - work.failed for work in works)
    return Controlled(
        language,
        len(valid),
        _per(requests, [work.prompt_tokens for work in works]),
        _per(requests, [work.output_tokens for work in works]),
        fmean(each for _, each in valid),
    )


def _per(requests: int, counts: Sequence[int | None]) -> float | None:
    known = [count for count in counts if count is not None]
    return sum(known) / requests if requests > 0 and len(known) == len(counts) else None


def _same(lengths: Sequence[float | None]) -> bool:
    known = [length for length in lengths if length is not None]
    return len(known) == len(lengths) and max(known) <= min(known) * (1 + SAME_LENGTH)


def _code(subject: Subject) -> str:
    return f"{subject.language}-{subject.variety}" if subject.variety else subject.language


def _setups(windows: Iterable[Window]) -> list[str]:
    """The one that figures are of comes first."""
    return list(dict.fromkeys(window.setup for window in reversed(list(windows))))


def _setup(windows: Sequence[Window]) -> Setup:
    measured = [window for window in windows if window.kind != "idle"]
    idle = [watts for one in windows if one.kind == "idle" and (watts := _idle_watts(one)) is not None]
    joules = [window.whole.reading.joules for window in measured]
    known = [one for one in joules if one is not None]
    return Setup(
        windows[0].setup,
        windows[0].scope,
        windows[0].method,
        windows=len(measured),
        valid=sum(map(_is_good, measured)),
        seconds=fsum(window.whole.reading.seconds for window in measured),
        joules=fsum(known) if known and len(known) == len(joules) else None,
        idle_watts=fmean(idle) if idle else None,
        notes=tuple(dict.fromkeys(note for window in windows for note in window.notes)),
    )


def _idle_watts(window: Window) -> float | None:
    """By power readings where there are any: energy counters are known to be off at idle."""
    reading = window.whole.reading
    if window.method == "counter" and reading.cross is not None and reading.seconds > 0:
        return reading.cross / reading.seconds
    return reading.watts


def _is_good(window: Window) -> bool:
    """Whether a window has an energy to go by; a mixed or idle one has no steady stretch."""
    if window.kind not in ("mixed", "idle"):
        return is_valid(window)
    return window.whole.reading.joules is not None and not any(
        reason.partition(":")[0] in FATAL for reason in window.reasons
    )


def _line(window: Window, against: Mapping[int, str]) -> Line:
    stretch: Stretch = window.steady or window.whole
    idle = window.kind == "idle"
    watts = _idle_watts(window) if idle else stretch.reading.watts
    # Mixed windows have numbers of their own.
    drift = against.get(window.number, "") if window.kind in ("isolated", "sentinel", "control") else ""
    return Line(
        number=window.number,
        kind=window.kind,
        task=window.subject.task,
        language=_code(window.subject),
        steady_seconds=window.steady.reading.seconds if window.steady else None,
        whole_seconds=window.whole.reading.seconds,
        requests=stretch.work.requests,
        tokens=stretch.work.output_tokens,
        joules=watts * stretch.reading.seconds if idle and watts is not None else stretch.reading.joules,
        watts=None if not idle and checks.too_short(stretch.reading, window.method) else watts,
        batch_asked=window.concurrency,
        batch_reached=window.reached,
        valid=_is_good(window),
        reasons=tuple(dict.fromkeys(filter(None, (*window.reasons, drift)))),
        notes=window.notes,
    )


def _entries(windows: Sequence[Window], cells: Sequence[Cell], against: Mapping[int, str]) -> Iterable[Entry]:
    mixed = [window for window in attributed(windows) if window.kind == "mixed"]
    scored = {subject_of(cell): cell for cell in cells if cell.headline}
    for subject, found in figures(windows).items():
        mine = [window for window in windows if window.subject == subject and window.kind in ("isolated", "sentinel")]
        asked = mine[-1].questions if mine else ""
        usable = [one for one in mine if one.questions == asked and joules_per_request(one) is not None]
        parts = [one for one in mixed if subject in (share.subject for share in one.shares)]
        measured = found.provenance == "measured"
        whole = _whole_tokens_per_joule(usable)
        steady = found.output_tokens_per_joule if measured else None
        yield Entry(
            subject,
            found,
            whole,
            whole / steady if whole and steady else None,
            _unranked(found, usable if measured else parts, against if measured else {}),
            scored.get(subject),
        )


def _unranked(found: Figures, windows: Sequence[Window], against: Mapping[int, str]) -> tuple[str, ...]:
    """Every reason, the one that the figures name first; none where there is nothing to rank."""
    if found.joules_per_request is None:
        return ()
    codes = [found.rank_reason]
    codes += [one for window in windows for one in window.reasons if one.partition(":")[0] in UNRANKED]
    codes += [against.get(window.number, "") for window in windows]
    if found.provenance == "measured" and found.windows < FEWEST_WINDOWS:
        codes.append("too_few_repeats")
    if found.variation is not None and found.variation > checks.REPEATS_INVALID:
        codes.append("repeats_vary")
    return tuple(dict.fromkeys(filter(None, codes)))


def _whole_tokens_per_joule(windows: Sequence[Window]) -> float | None:
    tokens = [window.whole.work.output_tokens for window in windows]
    joules = [window.whole.reading.joules for window in windows]
    if not windows or None in tokens or None in joules:
        return None
    total = fsum(one for one in joules if one is not None)
    return sum(one for one in tokens if one is not None) / total if total > 0 else None


def _why(window: Window) -> str:
    reasons = [reason for reason in window.reasons if reason.partition(":")[0] in FATAL]
    return reasons[0] if reasons else "no_valid_window"


def _missing(cells: Iterable[Cell], entries: Sequence[Entry]) -> Iterable[Missing]:
    headline = [cell for cell in cells if cell.headline]
    several = len({*(cell.task for cell in headline), *(_bare(entry.subject) for entry in entries)}) > 1

    def place(task: str, language: str, variety: str) -> str:
        code = f"{language}-{variety}" if variety else language
        return f"{task} {code}" if several else code

    where: dict[tuple[str, str], list[str]] = {}
    for cell in headline:
        for field in ("energy", *FIELDS):
            if field in cell.reasons and not field.endswith("_high"):
                said = place(cell.task, cell.language, cell.variety)
                where.setdefault((field, cell.reasons[field]), []).append(said)
    # English beside the run's own languages is measured, and never scored: it has no cell to give a reason.
    for entry in entries if headline else ():
        if entry.cell is None and entry.figures.joules_per_request is not None:
            said = place(_bare(entry.subject), entry.subject.language, entry.subject.variety)
            where.setdefault(("quality", "no_quality"), []).append(said)
            if entry.subject.language == ENGLISH:
                where.setdefault(("language_energy_ratio", "is_english"), []).append(said)
    return [Missing(field, reason, tuple(dict.fromkeys(places))) for (field, reason), places in where.items()]


def _bare(subject: Subject) -> str:
    return subject.task.partition("@")[0]
