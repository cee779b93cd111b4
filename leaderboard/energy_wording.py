"""Energy and tokens in words: figures, ranks, scopes, and why something is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup

from bench.energy.reasons import MEANINGS
from bench.premium import reasons
from bench.premium.plot import svg
from bench.premium.records import Premium, Premiums
from bench.records import Cell
from leaderboard import numerals
from leaderboard.efficiency import EQUIVALENT, PER_CORRECT, Estimate, estimate
from leaderboard.naming import named
from leaderboard.pages import Priced
from leaderboard.premium_queries import PremiumRange
from leaderboard.records import EnergyRank
from leaderboard.wording import MISSING, between, explained, listed, plain, reason, without_lead
from tasks import FLAWS

SCOPES = {
    "gpu_board": _l("the GPU board alone"),
    "gpu_module": _l("the GPU module with its processor"),
    "cpu_package": _l("the processor package"),
    "gpu_cpu_dram": _l("GPU, processor and memory"),
    "node": _l("the whole machine, by its own meter"),
    "wall": _l("the whole machine, at the socket"),
}
"""What a figure covers."""

PROVENANCES = {
    "measured": _l("measured apart"),
    "attributed": _l("attributed from mixed windows"),
    "none": _l("no energy"),
}


PREMIUM_MEANINGS = {**FLAWS, **reasons.MISSING}
"""Why a figure of a premium is missing, or what is wrong with the text that was counted."""


def why(code: str) -> str:
    """A reason code in words: those of energy first, then the board's; detail from outside as plain text."""
    return explained(code, MEANINGS) if code.partition(":")[0] in MEANINGS else reason(code)


def figure(value: float | None) -> str:
    """A positive figure to three digits, however small it is: what is there is never shown as zero."""
    if value is None:
        return MISSING
    places = 2 - math.floor(math.log10(abs(value))) if value else 0
    return numerals.local(f"{value:,.{min(max(places, 0), 15)}f}" if value > 1e-12 else f"{value:.3g}")


def span(found: Estimate | None) -> str:
    """An interval in words."""
    return str(_("no interval")) if found is None else between(figure(found.low), figure(found.high))


def per_correct(cell: Cell) -> str:
    """The interval of the joules for each right answer."""
    return span(estimate(cell, PER_CORRECT))


def equivalent(cell: Cell) -> str:
    """The interval of the English-equivalent tokens per joule."""
    return span(estimate(cell, EQUIVALENT))


def per_request(cell: Cell) -> str:
    """The interval of the joules per request."""
    low, high = cell.joules_per_request_low, cell.joules_per_request_high
    return str(_("no interval")) if low is None or high is None else between(figure(low), figure(high))


def doubt(cell: Cell) -> str:
    """Why the energy of a cell is not ranked, in words; empty where nothing speaks against it."""
    code = cell.reasons.get("energy_rank", "")
    return _after_unranked(code) if code else ""


def _after_unranked(code: str) -> str:
    return why(code) if code.partition(":")[0] in MEANINGS else without_lead(code)


def ranked(rank: EnergyRank) -> str:
    """The ranks that a model may have, or why it has none."""
    if rank.first is None or rank.last is None:
        return _after_unranked(rank.reason)
    if rank.peers == 1:
        return str(_("the only one ranked"))
    first, last, peers = numerals.count(rank.first), numerals.count(rank.last), numerals.count(rank.peers)
    if first == last:
        return str(_("rank %(rank)s of %(peers)s", rank=first, peers=peers))
    return str(_("rank %(first)s to %(last)s of %(peers)s", first=first, last=last, peers=peers))


def times(value: float) -> str:
    """A premium, a Gini coefficient or a like number, to two places; three digits of what is small."""
    if not value:
        return "0"
    return numerals.local(f"{value:,.2f}") if value >= 0.1 else figure(value)


def premium_range(found: PremiumRange) -> str:
    """The lowest to the highest premium over tokenizers."""
    low, high = times(found.lowest), times(found.highest)
    return f"{low if low == high else between(low, high)}{' *' * found.flawed}"


def scope(code: str) -> str:
    """What a figure covers, in words."""
    return str(SCOPES[code]) if code in SCOPES else plain(code)


def provenance(code: str) -> str:
    """How a figure came about, in words."""
    return str(PROVENANCES[code]) if code in PROVENANCES else plain(code)


def premium_absent(premium: Premium, name: str = "premium") -> str:
    """Why a premium, or another of its figures, is missing."""
    return flaw(premium.reasons.get(name, "not_stated"))


def flaw(code: str) -> str:
    """What is wrong with a premium or with the text that was counted, in words."""
    return explained(code, PREMIUM_MEANINGS)


def machine(value: object) -> str:
    """A part of the hardware in words: of metered devices their name, power limit and driver."""
    if isinstance(value, list) and value and all(isinstance(each, dict) and "name" in each for each in value):
        return "; ".join(map(_device, value))
    return plain(str(value))


def _device(known: Mapping[str, object]) -> str:
    limit, driver = known.get("power_limit"), known.get("driver")
    said = [plain(str(known["name"]))]
    if isinstance(limit, int | float) and limit > 0:
        said.append(f"{numerals.local(f'{limit:,.0f}')} W")
    if driver:
        # Translators: the program that runs a device
        said.append(_("driver %(version)s", version=plain(str(driver))))
    return listed(said)


def tokens_each(premium: Premium) -> str:
    """The tokens of an average sentence."""
    if not premium.sentences or not premium.tokens:
        return MISSING
    return numerals.local(f"{premium.tokens / premium.sentences:,.1f}")


def money(priced: Priced, premium: Premium) -> str:
    """What a thousand average sentences cost to read and to write."""
    if not premium.sentences or not premium.tokens:
        return MISSING
    tokens = premium.tokens / premium.sentences * 1000 / 1_000_000
    read, written = (figure(tokens * each) if each else "0" for each in (priced.price.input, priced.price.output))
    return str(
        _(
            "%(currency)s %(read)s to read, %(written)s to write 1,000 sentences",
            currency=plain(priced.price.currency),
            read=read,
            written=written,
        )
    )


def plotted(premiums: Premiums) -> Markup:
    """The premiums as a picture within the page, without a style of its own: the page's policy forbids that."""
    names = {one.language: named(one.language).name for one in premiums.languages}
    return Markup(svg(premiums, names, style=False))  # noqa: S704 - built as an XML tree, which escapes every text
