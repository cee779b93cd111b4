"""What keeps the package readable: its map names every module, and templates have nothing that none of them uses."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Flask
from jinja2 import nodes

import kernels
from bench.premium import plot
from leaderboard import translation
from leaderboard.app import create_app
from leaderboard.wording import METRICS
from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "leaderboard"


def test_the_map_names_every_module_once_and_nothing_else() -> None:
    rows = re.findall(r"^\| (`.*?) \|", (PACKAGE / "README.md").read_text("utf-8"), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([\w/]+\.py)`", row)]
    modules = (path.relative_to(PACKAGE) for path in (*PACKAGE.glob("*.py"), *PACKAGE.glob("desk/*.py")))
    assert sorted(named) == sorted(str(path) for path in modules if path.name != "__init__.py")


def test_every_filter_and_word_of_the_templates_is_used(board: Path) -> None:
    bare = Flask("bare")
    translation.init(bare)
    ours = create_app(board).jinja_env
    trees = [ours.parse((PACKAGE / "templates" / name).read_text("utf-8")) for name in ours.list_templates()]
    filters = {used.name for tree in trees for used in tree.find_all(nodes.Filter)}
    names = {used.name for tree in trees for used in tree.find_all(nodes.Name)}
    assert not ours.filters.keys() - bare.jinja_env.filters.keys() - filters
    assert not ours.globals.keys() - bare.jinja_env.globals.keys() - names


def test_dark_colours_are_for_screens_and_never_for_paper() -> None:
    for sheet in ((PACKAGE / "static" / "style.css").read_text("utf-8"), plot.STYLE):
        asked = re.findall(r"@media ([^{]*prefers-color-scheme: dark[^{]*)", sheet)
        assert asked
        assert all(each.startswith("screen and ") for each in asked)


def test_every_metric_has_words() -> None:
    assert METRICS.keys() >= set(kernels.METRICS)
