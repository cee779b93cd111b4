"""The family tree of models: which was made from which, and whether their levels agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.cards import facts as model_facts
from bench.cards.facts import LEVELS, Facts

Known = tuple[str, Facts]
"""A model's name as results have it, `provider:model`, and what is known of it."""


@dataclass(frozen=True, slots=True)
class Member:
    """One model and those that were made from it.

    `facts` is None for a base that is not among the models: then `name` is what its children call it. `remarks` say
    what is odd about its place, in words.
    """

    name: str
    facts: Facts | None
    remarks: tuple[str, ...]
    children: tuple[Member, ...]


def tree(models: Iterable[Known]) -> tuple[Member, ...]:
    """The models as trees, each under the model that it was made from.

    A base is one of the models where it is the name of one, with or without its provider; case does not matter. A model
    with several bases stands under the first of them that is there. A circle is cut where it was entered, in the order
    of the models.
    """
    known = _distinct(models)
    called = _called(known)
    parents = [_parent(known, called, place) for place in range(len(known))]
    remarks = _cut(known, parents)
    children: dict[int | str, list[int]] = {}
    spelled: dict[str, str] = {}
    for place, parent in enumerate(parents):
        if isinstance(parent, str):
            spelled.setdefault(parent.casefold(), parent)
        key = parent.casefold() if isinstance(parent, str) else -1 if parent is None else parent
        children.setdefault(key, []).append(place)

    def member(place: int) -> Member:
        name, facts = known[place]
        said = (*remarks.get(place, ()), *_remarks(known, called, place, parents[place]))
        return Member(name, facts, said, tuple(member(child) for child in children.get(place, ())))

    roots: list[tuple[int, Member]] = [(place, member(place)) for place in children.get(-1, ())]
    for key, name in spelled.items():
        below = children[key]
        roots.append((below[0], Member(name, None, (), tuple(map(member, below)))))
    return tuple(root for _, root in sorted(roots, key=lambda pair: pair[0]))


def to_json(member: Member) -> dict[str, Any]:
    """A tree as nested JSON types."""
    return {
        "model": member.name,
        "facts": None if member.facts is None else model_facts.to_json(member.facts),
        "remarks": list(member.remarks),
        "children": [to_json(child) for child in member.children],
    }


def _distinct(models: Iterable[Known]) -> list[Known]:
    """The models without those of which exactly the same is known under the same name."""
    known: list[Known] = []
    for model in models:
        if model not in known:
            known.append(model)
    return known


Called = Mapping[str, Sequence[int]]
"""A name, case folded -> the places of the models that it may stand for, those of that very name first."""


def _called(known: Sequence[Known]) -> Called:
    """The models by their names, with and without the provider."""
    names = [name.casefold() for name, _ in known]
    exact: dict[str, list[int]] = {}
    bare: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        exact.setdefault(name, []).append(place)
        bare.setdefault(name.partition(":")[2], []).append(place)
    return {name: [*exact.get(name, ()), *bare.get(name, ())] for name in exact.keys() | bare.keys()}


def _parent(known: Sequence[Known], called: Called, place: int) -> int | str | None:
    """The model that one was made from: its place among the models, else its name; None where nothing says."""
    bases = known[place][1].base or ()
    for base in bases:
        found = called.get(base.casefold(), ())
        others = [other for other in found if other != place]
        if others:
            return others[0]
        if found and known[place][1].relation != "adapter":
            return place  # an adapter may well have the name of its base
    return bases[0] if bases else None


def _cut(known: Sequence[Known], parents: list[int | str | None]) -> Mapping[int, tuple[str, ...]]:
    """Makes roots of the models at which circles are entered, and says so."""
    remarks: dict[int, tuple[str, ...]] = {}
    for start in range(len(known)):
        path: list[int] = []
        place: int | str | None = start
        while isinstance(place, int) and place not in path:
            path.append(place)
            place = parents[place]
        if isinstance(place, int):
            circle = path[path.index(place) :]
            names = " from ".join(known[one][0] for one in (*circle, place))
            parents[place] = None
            remarks[place] = (f"a circle, cut here: {names}",)
    return remarks


def _remarks(known: Sequence[Known], called: Called, place: int, parent: int | str | None) -> Iterable[str]:
    """What is odd about a model under its parent."""
    facts = known[place][1]
    if isinstance(parent, int):
        above = known[parent][1]
        if facts.level and above.level and LEVELS.index(facts.level) < LEVELS.index(above.level):
            yield f"says level {facts.level}, but was made from one of level {above.level}"
    others = [base for base in facts.base or () if not _stands_for(called, base, parent)]
    if parent is not None and others:
        yield f"also made from {', '.join(others)}"


def _stands_for(called: Called, base: str, parent: int | str | None) -> bool:
    return parent in called.get(base.casefold(), ()) if isinstance(parent, int) else base == parent
