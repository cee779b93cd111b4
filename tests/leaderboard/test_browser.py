"""The site in a real Chromium: budgets, accessibility, every width, and the whole journey with and without scripts."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from benchmarks import board_build
from leaderboard.app import create_app
from leaderboard.desk import access, review
from leaderboard.desk.store import Desk
from leaderboard.snapshot import publish
from tests.leaderboard import browsing
from tests.leaderboard.browsing import MOST_BYTES, MOST_NODES, Scheme, Watched
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences
from tests.leaderboard.desk.desks import send_file
from tests.leaderboard.powered import as_json, believing, describe, measured, premiums, rewrite

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(browsing.CHROMIUM is None, reason="chromium is not installed")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

GOOD, GAPS = "hf-maker-good", "hf-maker-gaps"
NOWHERE = "/nowhere"
ROOTS = ("", "/ar")
"""The interface left to right, and right to left."""


@dataclass(frozen=True)
class Place:
    """A board, its website, where that is, and a path of every page."""

    folder: Path
    app: Flask
    address: str
    paths: tuple[str, ...]


@pytest.fixture(scope="module", autouse=True)
def _no_data() -> Iterator[None]:
    """The checks of uploads work alike where the datasets are at hand and where they are not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BENCH_DATA", raising=False)
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing.chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def small(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A board of real runs, one with energy and premiums; and a submission at its desk."""
    folder = tmp_path_factory.mktemp("looked-at")
    powered = run_sib200(folder / "a.run.db", Scripted("hf:a", knows(8)), [sentences("eng_Latn")])
    describe(rewrite(powered, measured()), premiums=as_json(premiums({"yor_Latn": 2100, "pes_Arab": 1500})))
    board = folder / "board"
    with believing():
        publish([*runs, powered], board)
    with Desk.open(board) as desk:
        sent = send_file(desk, access.create(desk, "Ada")[1], runs[1]).id
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOARD_CHECK", "0")  # the submission is looked at as it waits
        app = create_app(board)
    more = (
        f"/compare?model={GOOD}&model={GAPS}&model=hf-a",
        f"/models/{GOOD}/sib200",
        "/languages/?q=nothing-like-it",
        "/costs?language=yor",
        "/submit",
        "/submissions/",
        f"/submissions/{sent}",
        f"/submissions/{sent}/withdraw",
        NOWHERE,
    )
    with browsing.serving(app) as address:
        yield Place(board, app, address, (*browsing.one_of_each(app, board), *more))


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A board with so much on it that every long table turns its pages."""
    board = tmp_path_factory.mktemp("big") / "board"
    board_build.make(board, models=60, languages=120, task_count=8, items=60)
    app = create_app(board)
    paths = browsing.one_of_each(app, board)
    models = [path.rpartition("/")[2] for path in paths if path.startswith("/models/hf-") and path.count("/") == 2]
    powered = "hf-aurora-aurora-0-0-5b-vertical-3"
    more = (
        f"/models/{powered}",
        f"/models/{powered}/made-00-global-piqa",
        f"/compare?model={powered}&model={models[-1]}",
    )
    with browsing.serving(app) as address:
        yield Place(board, app, address, (*paths, *more))


def status(path: str) -> int:
    return 404 if path == NOWHERE else 200


@pytest.mark.parametrize("board", ["small", "big"])
def test_every_page_is_small_and_keeps_to_itself_at_every_width(
    board: str, browser: Browser, request: pytest.FixtureRequest
) -> None:
    place: Place = request.getfixturevalue(board)
    wrong = []
    for path in place.paths:
        # Each in a context of its own, so that nothing comes from a cache.
        visitor = browsing.context(browser)
        seen = Watched(visitor.new_page(), place.address)
        seen.go(path, status(path))
        assert seen.page.locator("main").inner_text().strip(), path
        wrong += [f"{path}: {what}" for what in (*seen.complaints, *seen.strangers(), *seen.scripts())]
        wrong += [f"{path}: a script" for _ in seen.page.locator("script").all()]
        if seen.weight() > MOST_BYTES:
            wrong.append(f"{path}: {seen.weight():,} bytes")
        if seen.nodes() > MOST_NODES:
            wrong.append(f"{path}: {seen.nodes():,} nodes")
        wide = "all => all.some(one => one.scrollWidth > one.parentElement.clientWidth)"
        for width, size in ((1280, 100), (640, 200), (320, 100)):
            seen.page.set_viewport_size({"width": width, "height": 900})
            seen.page.evaluate("size => { document.documentElement.style.fontSize = size }", f"{size}%")
            if seen.overflow() > 0:
                wrong.append(f"{path}: {seen.overflow()} px too wide for {width} px at {size} %")
            if size == 100 and seen.page.locator("table.energy").evaluate_all(wide):
                wrong.append(f"{path}: energy that has to be scrolled for at {width} px")
        visitor.close()
    assert not wrong, "\n".join(wrong)


def by_template(place: Place) -> list[str]:
    """One path of each page, and those beside."""
    seen: dict[str, str] = {}
    for path in place.paths:
        page, _, query = path.partition("?")
        parts = page.strip("/").split("/")
        kind = "/".join(
            [parts[0], *("*" for _ in parts[1:-1]), "*" if parts[1:] and parts[0] != "plots" else parts[-1]]
        )
        seen.setdefault(f"{kind}{'?' if query else ''}", path)
    return list(seen.values())


@pytest.mark.parametrize("root", ROOTS)
def test_axe_finds_no_violation(root: str, browser: Browser, small: Place, big: Place) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    wrong = []
    visitor = browsing.context(browser, inspected=True)
    paged = [path for path in big.paths if re.match("/(board|tasks/.|languages/$|plots/heatmap)", path)]
    for place, paths in ((small, by_template(small)), (big, paged[:4] if not root else [])):
        seen = Watched(visitor.new_page(), place.address)
        for path in paths:
            seen.page.emulate_media(color_scheme="light")
            seen.go(f"{root}{path}", status(path))
            assert seen.page.locator("html").get_attribute("dir") == ("rtl" if root else "ltr")
            wrong += [f"{root}{path}: {what}" for what in seen.violations()]
            # The dark page is the same document in other colours.
            seen.page.emulate_media(color_scheme="dark")
            wrong += [f"{root}{path}, dark: {what}" for what in seen.violations(*browsing.COLOUR_RULES)]
        seen.page.close()
    visitor.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("width", [320, 1280])
def test_whoever_has_only_a_keyboard_sees_where_they_are(width: int, browser: Browser, small: Place) -> None:
    visitor = browsing.context(browser, width, inspected=True)
    seen = Watched(visitor.new_page(), small.address)
    marked = """() => {
        const style = getComputedStyle(document.activeElement);
        return document.activeElement === document.body ? null
            : {name: document.activeElement.outerHTML.slice(0, 200), width: parseFloat(style.outlineWidth),
               drawn: style.outlineStyle !== 'none'};
    }"""
    # Some part of it has to be seen (WCAG 2.4.11); scrolling there may end after the key.
    visible = """() => {
        const one = document.activeElement, box = one.getClientRects()[0];
        return [0.05, 0.5, 0.95].some(part => {
            const at = document.elementFromPoint(box.x + box.width * part, box.y + box.height / 2);
            return at !== null && (one.contains(at) || at.contains(one));
        });
    }"""
    for path in ("/", "/board", f"/compare?model={GOOD}&model={GAPS}", "/submit"):
        seen.go(path)
        reached = 0
        for _ in range(30):
            seen.page.keyboard.press("Tab")
            found = seen.page.evaluate(marked)
            if found is None:
                break
            reached += 1
            assert found["drawn"] and found["width"] >= 2, f"{path}: no mark around {found['name']}"
            seen.page.wait_for_function(visible, timeout=5000)
        assert reached > 10, path
    visitor.close()


def test_an_autonym_is_set_in_its_own_language_and_direction(browser: Browser, small: Place) -> None:
    page = browser.new_page()
    page.goto(f"{small.address}/languages/pes_Arab")
    autonym = page.locator("h1 [lang], h1[lang]").first
    assert (autonym.get_attribute("lang"), autonym.get_attribute("dir")) == ("fa", "rtl")
    assert page.locator("html").get_attribute("dir") == "ltr"
    page.close()


# Every pair of values of two factors comes together once at least.
WAYS: tuple[tuple[bool, Scheme, str, int], ...] = (
    (True, "light", "", 1280),
    (True, "dark", "/ar", 1280),
    (False, "light", "/ar", 320),
    (False, "dark", "", 320),
    (True, "light", "", 320),
    (False, "dark", "/ar", 1280),
)


@pytest.mark.parametrize(("scripts", "scheme", "root", "width"), WAYS)
def test_journey(
    scripts: bool, scheme: Scheme, root: str, width: int, browser: Browser, runs: list[Path], tmp_path: Path
) -> None:
    board, sent = tmp_path / "board", runs[1]
    publish([one for one in runs if one != sent], board)
    with Desk.open(board) as desk:
        secret, _token = access.create(desk, "Ada")
    with browsing.serving(create_app(board)) as address:
        visitor = browsing.context(browser, width, scheme, scripts=scripts)
        seen = Watched(visitor.new_page(), address)
        finds_a_language(seen, root)
        compares_two_models(seen, root, tmp_path)
        number = submits(seen, root, secret, sent)
        assert seen.page.locator(".badge.re-scored").count() == 1
        events = seen.page.locator("main tbody tr").count()
        assert seen.page.goto(f"{address}{root}/models/baseline-copy").status == 404  # type: ignore[union-attr]

        info = review.accept(board, number, "Grace")
        seen.go(f"{root}/submissions/{number}")
        assert seen.page.locator("main tbody tr").count() == events + 1
        seen.page.locator(f"main a[href$='/snapshots/{info.snapshot}']").click()
        seen.page.wait_for_url(f"**/snapshots/{info.snapshot}*")
        seen.go(f"{root}/models/baseline-copy")
        assert seen.page.locator("h3 .badge.re-scored").count() == 1  # the run's own
        assert seen.page.locator(".badge.re-scored").count() == seen.page.locator(".badge").count() == 3  # and 2 tasks

        broken = tmp_path / "broken.run.db"
        broken.write_bytes(sent.read_bytes()[:20_000])
        refused = submits(seen, root, secret, broken)
        with Desk.open(board) as desk:
            found = desk.submission(refused)
        assert (found.state, bool(found.reason)) == ("rejected", True)
        said = seen.page.locator("main [role=status]").inner_text()
        if not root:
            assert said.startswith("rejected by the check: ")
        assert found.detail in seen.page.locator("main").inner_text()
        assert seen.page.locator("main .badge").count() == 0
        assert not seen.strangers() and not seen.scripts()
        assert seen.overflow() == 0
        visitor.close()


def finds_a_language(seen: Watched, root: str) -> None:
    """From the start page over the search to the page of a language."""
    seen.go(f"{root}/")
    seen.page.locator(".find input[name=q]").fill("yorù")
    seen.page.locator(".find button").click()
    seen.page.wait_for_url("**/languages/?q=*")
    seen.page.locator(f"main th a[href='{root}/languages/yor_Latn']").click()
    seen.page.wait_for_url(f"**{root}/languages/yor_Latn")
    assert seen.page.locator("h1 [lang=yo], h1[lang=yo]").count() == 1


def compares_two_models(seen: Watched, root: str, folder: Path) -> None:
    """From the ticks on the board to the numbers of a comparison, which are those of its CSV."""
    seen.go(f"{root}/board")
    for slug in (GOOD, GAPS):
        seen.page.locator(f"input[name=model][value={slug}]").check()
    seen.page.locator(".compare button").click()
    seen.page.wait_for_url("**/compare?*")
    with seen.page.expect_download() as coming:
        seen.page.locator("footer a[href*='/compare.csv?']").click()
    file = folder / "compared.csv"
    coming.value.save_as(file)
    with file.open(newline="", encoding="utf-8-sig") as opened:
        rows = list(csv.DictReader(opened))
    table = seen.page.locator("h2#languages ~ .scroll table").last.locator("tbody tr")
    assert table.count() == len(rows) == 3
    shown = dict(zip((one.get_attribute("href") for one in table.locator("th a").all()), table.all(), strict=True))
    for row in rows:
        line = shown[f"{root}/languages/{row['language']}"]
        if row["difference.difference"]:
            assert numbers(line, 0, 1) == [
                round(100 * float(row[f"difference.{name}"]), 1) for name in ("baseline", "system")
            ]
            assert numbers(line, 2)[0] == round(100 * float(row["difference.difference"]), 1)
        else:
            assert line.locator("td.absent").inner_text().strip()


def numbers(row: Locator, *places: int) -> list[float]:
    """The first number of each of these fields of a row, with its sign."""
    texts = [row.locator("td.num").nth(place).inner_text().replace("\N{MINUS SIGN}", "-") for place in places]
    found = [re.search(r"-?[0-9]+(?:[.,][0-9]+)?", text) for text in texts]
    return [float(one[0].replace(",", ".")) for one in found if one]


def submits(seen: Watched, root: str, secret: str, file: Path) -> str:
    """Sends a file with the form and waits until its check, which is a process of its own, is over."""
    seen.go(f"{root}/submit")
    seen.page.locator("input[name=token]").fill(secret)
    seen.page.locator("input[name=file]").set_input_files(file)
    seen.page.locator("form.submit button").click()
    seen.page.wait_for_url("**/submissions/*")
    number = seen.page.url.rpartition("/")[2]
    watched = f"{root}/submissions/{number}"
    until = time.monotonic() + 120
    while seen.page.locator(f"main a[href='{watched}?watch=1']").count():
        assert time.monotonic() < until, "the check does not end"
        time.sleep(0.3)
        seen.go(watched)
    # Received, checked, and what came of it.
    assert seen.page.locator("main tbody tr").count() == 3
    return number
