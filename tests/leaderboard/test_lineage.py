"""The family of a model and the lift of each step, on a board with real runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.cards.facts import Facts
from leaderboard import lineage
from leaderboard.app import create_app
from leaderboard.lineage import Lineage, Relative
from tests.leaderboard.family import make, opened
from tests.leaderboard.markup import check, words


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The board of the family."""
    return make(tmp_path_factory.mktemp("family"))


def of(folder: Path, slug: str) -> Lineage:
    with opened(folder) as board:
        found = board.model(slug)
        assert found is not None
        return lineage.of_model(board, found)


def test_a_family_stands_from_its_root_down(family: Path) -> None:
    for slug in ("hf-org-base", "hf-org-base-yo", "hf-org-base-yo-health"):
        found = of(family, slug)
        assert [(one.name, one.depth, one.level) for one in found.relatives] == [
            ("hf:org/base", 0, "general"),
            ("hf:org/base-yo", 1, "language"),
            ("hf:org/base-yo-health", 2, "vertical"),
        ]
        assert [one.model.slug for one in found.relatives if one.self and one.model] == [slug]
    assert [one.name for one in of(family, "hf-other-closed").relatives] == ["hf:other/closed"]


def test_the_lift_of_a_step_is_the_paired_difference_over_common_languages(family: Path) -> None:
    up, down = of(family, "hf-org-base-yo").lifts
    assert (up.base.slug, up.child.slug) == ("hf-org-base", "hf-org-base-yo")
    assert (down.base.slug, down.child.slug) == ("hf-org-base-yo", "hf-org-base-yo-health")
    assert (up.difference.languages, up.difference.n) == (2, 80)
    assert up.difference.difference == pytest.approx(0.4)
    assert up.difference.low is not None and up.difference.high is not None
    assert 0 < up.difference.low < 0.4 < up.difference.high
    assert up.difference.verdict == "better"
    assert down.difference.languages == 1
    assert down.difference.baseline == pytest.approx(0.8)
    assert [(one.base.slug, one.child.slug) for one in of(family, "hf-org-base").lifts] == [
        ("hf-org-base", "hf-org-base-yo")
    ]
    assert of(family, "hf-other-closed").lifts == ()


def test_a_model_shows_the_lift_of_every_step_from_the_base_down(family: Path) -> None:
    """From the base over the language to the vertical: the last model's page has both steps, the nearest first."""
    steps = [(one.base.slug, one.child.slug) for one in of(family, "hf-org-base-yo-health").lifts]
    assert steps == [("hf-org-base-yo", "hf-org-base-yo-health"), ("hf-org-base", "hf-org-base-yo")]
    lifts = {lift.child.slug: lift for lift in of(family, "hf-org-base-yo-health").lifts}
    (same,) = (one for one in of(family, "hf-org-base-yo").lifts if one.child.slug == "hf-org-base-yo")
    assert lifts["hf-org-base-yo"].difference.difference == same.difference.difference


def test_the_page_of_a_model_shows_its_family_and_lifts(family: Path) -> None:
    visitor = create_app(family).test_client()
    page = visitor.get("/models/hf-org-base-yo").get_data(as_text=True)
    check(page)
    assert "+40.0" in page and "better than the baseline" in page
    said = words(page)
    assert "Lift: what each step gained" in said and "2 languages, n 80" in said
    alone = words(visitor.get("/models/hf-other-closed").get_data(as_text=True))
    assert "What it was made from is unknown (nobody says)" in alone and "Lift" not in alone


def test_of_a_large_family_the_way_down_stays() -> None:
    def one(depth: int, own: bool = False) -> Relative:
        return Relative(None, f"{depth}", None, depth, (), own)

    sisters = [one(1) for _ in range(200)]
    found = lineage._near([one(0), *sisters, one(1), one(2, own=True), *[one(3) for _ in range(5)], *sisters])
    assert len(found) == lineage.RELATIVES
    at = next(place for place, each in enumerate(found) if each.self)
    assert found[0].depth == 0 and found[at - 1].depth == 1
    assert [each.depth for each in found[at + 1 : at + 6]] == [3] * 5


def test_facts_say_who_says_so_and_why_they_are_unknown(family: Path) -> None:
    with opened(family) as board:
        found = board.model("hf-org-base-yo")
    assert found is not None and isinstance(found.facts, Facts)
    page = words(create_app(family).test_client().get("/models/hf-org-base-yo").get_data(as_text=True))
    assert "apache-2.0 says: model file" in page and re.search(r"Released[^.:]*: nobody says", page)
