"""What a run may say of its model: nothing that no model has, so that no page has to show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.cards.facts import Facts
from bench.records import UsageError
from leaderboard.checks import check_facts


@pytest.mark.parametrize(
    "said",
    [
        {"parameters": 10**400},
        {"parameters": -1},
        {"context": 10**30},
        {"licence": "x" * 1_001},
        {"base": ("x",) * 1_001},
        {"origin": {"licence": "x" * 2_000}},
    ],
)
def test_what_no_model_has_is_refused_in_one_line(said: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="of its model is no") as refused:
        check_facts(Path("a.run.db"), Facts(**said))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


def test_a_real_one_is_taken() -> None:
    facts = Facts(parameters=7 * 10**9, licence="mit", open_weights=True, base=("a", "b"), origin={"licence": "card"})
    check_facts(Path("a.run.db"), facts)
