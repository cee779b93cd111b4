"""Words that a template says of a literal: Jinja would say them once for all, in the language of the first reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import nodes

from leaderboard.app import create_app

TEMPLATES = Path(__file__).parents[2] / "leaderboard" / "templates"
WORDLESS = {"format", "safe"}
"""Filters that say the same in every language."""


@pytest.mark.parametrize("name", sorted(path.name for path in TEMPLATES.glob("*.html")))
def test_no_filter_is_asked_of_a_literal(name: str, board: Path) -> None:
    env = create_app(board).jinja_env
    tree = env.parse((TEMPLATES / name).read_text(encoding="utf-8"))
    said = [node for node in tree.find_all(nodes.Filter) if isinstance(node.node, nodes.Const)]
    assert [f"line {node.lineno}: {node.node}|{node.name}" for node in said if node.name not in WORDLESS] == []
