"""Whether an answer obeys the rules of its sample.

A sample of the kind "rules" has them as JSON: a list of {"id": ..., "kwargs": {...}}. The ids are the rule suite's own,
IFEval's and M-IFEval's; arguments that are null or that a rule does not know are not there, as in IFEval's data.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from functools import cache, lru_cache, partial
from types import MappingProxyType

from bench.instructions import IFEVAL, Check, spoken
from bench.instructions import UNVERIFIED as _IFEVAL_UNVERIFIED
from bench.instructions_mifeval import MIFEVAL
from bench.instructions_mifeval import UNVERIFIED as _MIFEVAL_UNVERIFIED
from bench.instructions_own import OWN

__all__ = ["RULES", "UNVERIFIED", "each", "obeyed", "spoken"]

RULES: Mapping[str, Check] = MappingProxyType({**OWN, **IFEVAL, **MIFEVAL})
"""Every rule that can be checked, by its id."""

UNVERIFIED = _IFEVAL_UNVERIFIED | _MIFEVAL_UNVERIFIED
"""The rules of other benchmarks whose verdicts may differ from the benchmark's own tool; see the two modules."""


def obeyed(text: str, rules: str, loose: bool = False) -> bool:
    """Whether an answer obeys every rule. Raises `ValueError` for rules that cannot be checked; see `each`."""
    return all(each(text, rules, loose))


def each(text: str, rules: str, loose: bool = False) -> tuple[bool, ...]:
    """Whether an answer obeys each of the rules, in their order. A blank answer obeys none.

    `loose` is IFEval's lenient verdict: a rule is obeyed if it is by the answer without its first line, its last line,
    both, or without asterisks, too. Raises `ValueError` for rules that are no JSON list, and for a rule without an id
    that is known or without an argument that it needs.
    """
    answers = [one for one in (_variants(text) if loose else (text,)) if one.strip()]
    return tuple(any(check(answer) for answer in answers) for check in _checks(rules))


def _variants(text: str) -> tuple[str, ...]:
    """The eight texts of IFEval's lenient verdict."""
    lines = text.split("\n")
    cut = (text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])))
    return (*cut, *(one.replace("*", "") for one in cut))


@lru_cache(maxsize=4096)
def _checks(rules: str) -> tuple[Check, ...]:
    """The rules of a sample, each with its arguments filled in."""
    try:
        listed = json.loads(rules)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"rules are no JSON: {rules[:80]!r}") from error
    if isinstance(listed, list) and listed:
        return tuple(_check(rule) for rule in listed)
    raise ValueError(f"rules are not a list of rules: {rules[:80]!r}")


def _check(rule: object) -> Check:
    rule = rule if isinstance(rule, dict) else {}
    name, given = str(rule.get("id")), rule.get("kwargs") or {}
    if name not in RULES:
        raise ValueError(f"unknown rule {name!r}")
    needed = _arguments(name)
    missing = [argument for argument in needed if not isinstance(given, dict) or given.get(argument) is None]
    if missing:
        raise ValueError(f"the rule {name!r} lacks the argument {missing[0]!r}")
    return partial(RULES[name], **{argument: given[argument] for argument in needed})


@cache
def _arguments(name: str) -> tuple[str, ...]:
    """The names of the arguments that a rule needs."""
    return tuple(inspect.signature(RULES[name]).parameters)[1:]
