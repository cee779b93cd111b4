"""Differences between two models in words: how large, which way, what they come to, and why there is none."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from leaderboard import numerals, wording
from leaderboard.paired import Difference
from leaderboard.site import Site

PAIRING = {
    "only_in_baseline": _l("only the baseline was asked"),
    "only_in_system": _l("the baseline was not asked"),
    "other_signature": _l("scored by different versions or options of the metric"),
    "other_version": _l("asked in different versions of the task"),
    "other_mode": _l("asked in different ways of answering"),
    "other_prompt_language": _l("asked with prompts in different languages"),
    "other_shots": _l("asked after different numbers of examples"),
    "no_common_items": _l("no item was scored for both"),
    "no_common_language": _l("no language has enough items for both"),
    "not_asked": _l("neither was asked"),
    "no_spread": _l("all items differ alike, which shows no spread to judge by"),
}
"""Why two models' numbers cannot be held against each other, for a reader."""


def pairing(code: str) -> str:
    """Why two numbers cannot be held against each other, in words."""
    return str(PAIRING[code]) if code in PAIRING else wording.reason(code)


def signed(value: float | None, metric: str) -> str:
    """A difference in a metric's unit with its sign; shares in percentage points."""
    if value is None:
        return wording.MISSING
    shown = unsigned(value, metric)
    return numerals.local(shown if float(shown) == 0 else f"{'+' if value > 0 else wording.MINUS}{shown}")


def unsigned(value: float, metric: str) -> str:
    """How large a difference is, as it is written in English."""
    return f"{abs(value) * 100:.1f}" if wording.metric_of(metric).best == 1.0 else f"{abs(value):.1f}"


def verdict(one: Difference, metric: str, among: int) -> str:
    """What a difference comes to, in words, judged together with others: `among` so many in all."""
    if one.verdict == "better":
        said = _("better than the baseline")
    elif one.verdict == "worse":
        said = _("worse than the baseline")
    elif one.verdict == "not_separable" and among > 1 and _alone(one):
        said = ngettext(
            "cannot be told apart: its own interval leaves 0 out, but that is not enough in %(count)s comparison",
            "cannot be told apart: its own interval leaves 0 out, but that is not enough among %(count)s comparisons",
            among,
            count=numerals.count(among),
        )
    elif one.verdict == "not_separable" and one.detectable is not None:
        shown = numerals.local(unsigned(one.detectable, metric))
        said = _("cannot be told apart: the data could have shown a difference of %(points)s", points=shown)
    elif one.verdict == "not_separable":
        said = _("cannot be told apart")
    else:
        said = _("not comparable: %(reason)s", reason=pairing(one.reason))
    return str(said)


def _alone(one: Difference) -> bool:
    """Whether the interval of a difference, which is of this one alone, leaves 0 out."""
    return one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)


def register(site: Site) -> None:
    """Lets templates call these words."""
    site.app.jinja_env.filters.update(signed=signed, verdict=verdict, pairing=pairing)
