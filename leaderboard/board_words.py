"""What the board calls its filters, their values, and its groups."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

import languages
from leaderboard import facets, local_names, numerals, wording
from leaderboard.site import Site
from leaderboard.standings import Group

FACETS = {
    "suite": _l("Suite"),
    "vertical": _l("Vertical"),
    "task": _l("Task"),
    "language": _l("Language"),
    "family": _l("Family"),
    "script": _l("Script"),
    "area": _l("Part of the world"),
    "task area": _l("Area"),
    "class": _l("Resource class"),
    "licence": _l("Licence"),
    "open": _l("Weights"),
    "size": _l("Parameters"),
    "level": _l("Specialised for"),
    "badge": _l("Badge"),
    "energy": _l("Energy"),
}

VALUES = {
    ("open", "open"): _l("open weights"),
    ("open", "closed"): _l("closed"),
    ("size", "under-1b"): _l("under 1 billion"),
    ("size", "1b-to-4b"): _l("1 to 4 billion"),
    ("size", "4b-to-10b"): _l("4 to 10 billion"),
    ("size", "10b-to-40b"): _l("10 to 40 billion"),
    ("size", "40b-to-100b"): _l("40 to 100 billion"),
    ("size", "over-100b"): _l("100 billion and more"),
    ("level", "general"): _l("nothing: a general model"),
    ("level", "language"): _l("a language"),
    ("level", "vertical"): _l("a vertical"),
    ("level", "institution"): _l("an institution"),
    ("energy", "measured"): _l("measured"),
    ("energy", "not_measured"): _l("not measured"),
    ("vertical", "none"): _l("no vertical"),
}


def facet_name(facet: str) -> str:
    """A filter as readers see it."""
    return str(FACETS.get(facet, facet))


@functools.cache
def _families() -> Mapping[str, str]:
    """The English names of families by Glottocode."""
    return {one.family_id: one.family for one in languages.all_languages() if one.family_id and one.family}


def facet_value(value: str, facet: str) -> str:
    """A value of a filter as readers see it."""
    if value == facets.UNKNOWN:
        return str(_("not stated"))
    if (facet, value) in VALUES:
        return str(VALUES[facet, value])
    if facet == "badge":
        return wording.badge_name(value)
    if facet == "language":
        return wording.plain(local_names.language_of(value))
    if facet == "script":
        return wording.plain(local_names.script_plain(value))
    named = _families().get(value, value) if facet == "family" else value
    return wording.spoken(wording.plain(named.replace("-", "–") if facet == "class" else named))


def group_name(group: Group) -> str:
    """A group as readers see it: the metric, and how the models were asked."""
    asked = wording.way(group)
    return str(_("%(metric)s, %(way)s", metric=wording.metric_of(group.metric).label, way=asked))


def parameters(count: int | None) -> str:
    """A number of parameters."""
    if count is None:
        return str(_("not stated"))
    if count >= 10**9:
        return str(_("%(count)s billion", count=numerals.local(f"{count / 1e9:.3g}")))
    shown = numerals.local(f"{count / 1e6:.3g}")
    return str(ngettext("%(count)s million", "%(count)s million", count // 10**6, count=shown))


STANDING = {
    "partial": _l("not ranked: it lacks results of this choice"),
    "no_numbers": _l("no number that counts in this choice"),
    "invalidated": _l("not ranked: a task was found wrong"),
    "no_interval": _l("not ranked: it has no interval"),
    "baseline": _l("floor, not ranked"),
    "self_test": _l("self-test, not ranked"),
    "not_run": _l("not run"),
}


def standing_reason(code: str) -> str:
    """Why a model is not ranked, or has no mean."""
    return str(STANDING[code]) if code in STANDING else wording.reason(code)


ORIGINS = {
    "native": _l("written in the language"),
    "human-translated": _l("translated by people"),
    "machine-translated": _l("translated by a machine"),
    "generated": _l("made by a program"),
}
ACCESS = {
    "open": _l("open"),
    "gated": _l("on request"),
    "non-commercial": _l("not for commercial use"),
    "no-derivatives": _l("not to be changed"),
}


def origin(value: str) -> str:
    """How a text came about."""
    return str(ORIGINS.get(value, value))


def access(value: str) -> str:
    """Who may have a dataset."""
    return str(ACCESS.get(value, value))


def plain_text(text: str) -> str:
    """A text of several lines from outside, without the characters that could disguise it."""
    return "\n".join(map(wording.plain, text.splitlines()))


def register(site: Site) -> None:
    """Makes the words known to the templates."""
    site.app.jinja_env.filters.update(
        facet_name=facet_name,
        facet_value=facet_value,
        group_name=group_name,
        parameters=parameters,
        origin=origin,
        access=access,
        plain_text=plain_text,
        standing_reason=standing_reason,
    )
