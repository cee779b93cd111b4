"""What a reader has to know beside a number: requests that failed, odd answers, what a mean leaves out."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import ngettext

from bench.records import Cell
from leaderboard import numerals
from leaderboard.records import Mean
from leaderboard.wording import number, percent, reason, without_lead


def of_cell(cell: Cell) -> list[str]:
    """What a reader has to know beside a cell's number."""
    rank = cell.reasons.get("rank", "")
    # A cell without a value shows that reason in the value's place already.
    said = [reason(rank)] if rank and (cell.value is not None or rank != cell.reasons.get("value")) else []
    return [*said, *_lost(cell), *_odd(cell), *_elsewhere(cell)]


def of_mean(mean: Mean) -> list[str]:
    """What a mean leaves out, and what it is over that is not whole."""
    said = []
    if count := mean.too_few:
        # Translators: of languages
        text = ngettext(
            "%(count)s more with too few items, not counted",
            "%(count)s more with too few items, not counted",
            count,
            count=numerals.count(count),
        )
        said.append(text)
    if count := mean.flawed:
        text = ngettext(
            "%(count)s language not counted: %(reason)s",
            "%(count)s languages not counted: %(reason)s",
            count,
            count=numerals.count(count),
            reason=without_lead(mean.why_flawed),
        )
        said.append(text)
    if count := mean.missing:
        # Translators: of languages
        text = ngettext(
            "%(count)s without a number: %(reason)s",
            "%(count)s without a number: %(reason)s",
            count,
            count=numerals.count(count),
            reason=reason(mean.why_missing),
        )
        said.append(text)
    if count := mean.incomplete:
        text = ngettext(
            "in %(count)s of its languages requests failed or were skipped",
            "in %(count)s of its languages requests failed or were skipped",
            count,
            count=numerals.count(count),
        )
        said.append(text)
    return said


def _lost(cell: Cell) -> list[str]:
    """The requests that failed or were skipped."""
    said = []
    asked, failed, skipped = (
        numerals.count(cell.n + cell.errors + cell.skipped),
        numerals.count(cell.errors),
        numerals.count(cell.skipped),
    )
    if cell.errors and cell.value is None:
        # Translators: of requests
        said.append(_("%(count)s of %(asked)s failed", count=failed, asked=asked))
    elif cell.errors and (cell.worst is None or cell.best is None):
        why = reason(cell.reasons.get("worst", "corpus_metric"))
        said.append(_("%(count)s failed; %(reason)s", count=failed, reason=why))
    elif cell.errors:
        low, high = number(cell.worst, cell.metric), number(cell.best, cell.metric)
        said.append(
            _("%(count)s failed; with them the value lies in %(low)s to %(high)s", count=failed, low=low, high=high)
        )
    if cell.skipped and cell.value is None:
        said.append(_("%(count)s of %(asked)s skipped", count=skipped, asked=asked))
    elif cell.skipped:
        said.append(_("%(count)s of %(asked)s skipped, not in the value", count=skipped, asked=asked))
    return said


def _odd(cell: Cell) -> list[str]:
    """The answers that are not what was asked for."""
    said = []
    # Translators: the four below are of answers
    if count := cell.unparsed:
        said.append(ngettext("%(count)s unparsed", "%(count)s unparsed", count, count=numerals.count(count)))
    if count := cell.empty:
        said.append(ngettext("%(count)s empty", "%(count)s empty", count, count=numerals.count(count)))
    if count := cell.refused:
        said.append(ngettext("%(count)s refused", "%(count)s refused", count, count=numerals.count(count)))
    if count := cell.truncated:
        said.append(ngettext("%(count)s cut off", "%(count)s cut off", count, count=numerals.count(count)))
    if cell.violations is not None and cell.violation_bound is not None:
        said.append(
            ngettext(
                "%(count)s violation: at most %(share)s of all answers, at 95 %%",
                "%(count)s violations: at most %(share)s of all answers, at 95 %%",
                cell.violations,
                count=numerals.count(cell.violations),
                share=percent(cell.violation_bound),
            )
        )
    return said


def _elsewhere(cell: Cell) -> list[str]:
    """The answers in another script or language, or with other digits."""
    said = []
    if (count := cell.script_verdicts) and cell.wrong_script:
        said.append(
            ngettext(
                "%(share)s of %(count)s answer in another script",
                "%(share)s of %(count)s answers in another script",
                count,
                share=percent(cell.wrong_script),
                count=numerals.count(count),
            )
        )
    if (count := cell.language_verdicts) and cell.wrong_language:
        said.append(
            ngettext(
                "%(share)s of %(count)s long answer in another language",
                "%(share)s of %(count)s long answers in another language",
                count,
                share=percent(cell.wrong_language),
                count=numerals.count(count),
            )
        )
    if cell.other_digits and cell.native_digits is not None and cell.native_digits + cell.other_digits:
        native, others = numerals.count(cell.native_digits), numerals.count(cell.other_digits)
        # Translators: of answers
        said.append(_("%(native)s with native digits, %(others)s with others", native=native, others=others))
    return said
