"""What is known of a model in words: its size, its licence, what it was made from, and why some of it is unknown."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from bench.cards.facts import Facts
from leaderboard import numerals, wording
from leaderboard.site import Site

FACT_REASONS = {
    "not_declared": _l("nobody says"),
    "has_none": _l("it has none"),
    "no_repository": _l("it lies in a folder, which has no owner"),
    "no_owner": _l("its repository names no owner"),
    "adapter": _l("an adapter: its weights come on top of its base’s"),
    "no_weights": _l("no weights are at hand"),
    "not_in_config": _l("its configuration does not say"),
    "local_path": _l("the card has a path on some machine"),
    "said_of_another_base": _l("the card says it of another base"),
    "contradicted": _l("contradicted by another source"),
    "wrong_type": _l("what the card says cannot be read"),
}
"""Why a fact is unknown, for a reader; a detail may follow the code."""

SHOWN_FACTS = (
    ("licence", _l("Licence")),
    ("open_weights", _l("Weights")),
    ("parameters", _l("Parameters")),
    ("organisation", _l("Organisation")),
    ("country", _l("Country")),
    ("base", _l("Made from")),
    ("relation", _l("How")),
    ("level", _l("Specialised for")),
    ("released", _l("Released")),
    ("context", _l("Longest context, in tokens")),
    ("training_data", _l("Training data")),
)
"""The facts of a model's page, in its order."""


def unknown_facts(facts: Facts) -> list[tuple[str, list[str]]]:
    """Why some facts of a model are not known, in words, each reason with the facts that lack for it."""
    made: dict[str, list[str]] = {}
    for name, label in SHOWN_FACTS:
        if getattr(facts, name) is None:
            made.setdefault(fact_reason(facts.reasons.get(name, "")), []).append(str(label))
    return list(made.items())


def fact_reason(said: str) -> str:
    """Why a fact of a model is unknown, in words; the detail behind a code as its source has it."""
    code, _colon, detail = said.partition(":")
    words = str(FACT_REASONS.get(code, FACT_REASONS["not_declared"] if not code else wording.plain(code)))
    return f"{words} ({wording.plain(detail.strip())})" if detail.strip() else words


def fact(facts: Facts, name: str) -> str:
    """A fact of a model in words; empty where it is unknown."""
    value = getattr(facts, name)
    if value is None:
        return ""
    if name == "open_weights":
        return str(_("open: anybody can have them") if value else _("closed"))
    if isinstance(value, tuple):
        return ", ".join(map(wording.plain, value))
    return numerals.count(value) if isinstance(value, int) else wording.plain(str(value))


def register(site: Site) -> None:
    """Lets templates call these words."""
    site.app.jinja_env.filters.update(fact_reason=fact_reason, fact=fact, unknown_facts=unknown_facts)
    site.app.jinja_env.globals.update(shown_facts=SHOWN_FACTS)
