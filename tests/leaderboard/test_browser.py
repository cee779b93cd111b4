"""The pages in a real Chromium: without JavaScript, at every width, in light and dark, with nothing from elsewhere."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from werkzeug.serving import make_server

from leaderboard.app import create_app
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences
from tests.leaderboard.powered import as_json, believing, describe, measured, premiums, rewrite

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = (
    "/",
    "/board",
    "/languages/",
    "/languages/yor_Latn",
    "/languages/pes_Arab",
    "/models/",
    "/models/baseline-copy",
    "/tasks/",
    "/tasks/cldr-calendar",
    "/method",
    "/energy",
    "/tokens",
    "/tokens/hf-maker-good-ntrex-from-eng",
    "/costs",
    "/costs?language=yor",
    "/languages/eng_Latn",
    "/models/hf-a",
)


@pytest.fixture(scope="module")
def address(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("looked-at")
    powered = run_sib200(folder / "a.run.db", Scripted("hf:a", knows(8)), [sentences("eng_Latn")])
    describe(rewrite(powered, measured()), premiums=as_json(premiums({"yor_Latn": 2100, "pes_Arab": 1500})))
    with believing():
        publish([*runs, powered], folder / "board")
    server = make_server("127.0.0.1", 0, create_app(folder / "board"), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as started:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        opened = started.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages(browser: Browser, address: str, width: int, scheme: Literal["light", "dark"]) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=False
    )
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    for path in PAGES:
        answer = page.goto(address + path)
        assert answer is not None
        assert answer.status == 200, path
        box = page.locator("body").bounding_box()
        assert box is not None
        assert box["width"] <= width, f"{path} is wider than its window"
        assert page.locator("main").inner_text().strip(), path
        wide = "all => all.some(one => one.scrollWidth > one.parentElement.clientWidth)"
        assert not page.locator("table.energy").evaluate_all(wide), f"{path}: energy that has to be scrolled for"
    assert all(url.startswith((address, "data:")) for url in asked), asked
    assert not complaints
    context.close()


def test_an_autonym_is_set_in_its_own_language_and_direction(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/languages/pes_Arab")
    autonym = page.locator("h1 [lang], h1[lang]").first
    assert (autonym.get_attribute("lang"), autonym.get_attribute("dir")) == ("fa", "rtl")
    assert page.locator("html").get_attribute("dir") in (None, "ltr")
    page.close()
