"""The website: every page in both forms, honest about floors and gaps, safe against what models call themselves."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from bench.records import Cell, UsageError
from leaderboard import snapshot, wording
from leaderboard.app import create_app
from leaderboard.site import CURRENT_CACHE
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import HOSTILE, Scripted, knows, run_sib200, sentences
from tests.leaderboard.markup import check, tables, words

PAGES = (
    "/",
    "/board",
    "/languages/",
    "/languages/yor_Latn",
    "/languages/pes_Arab",
    "/languages/amh_Ethi",
    "/languages/hau_Latn",
    "/models/",
    "/models/hf-maker-good",
    "/models/hf-maker-gaps/sib200",
    "/models/hf-maker-good/cldr-calendar",
    "/models/baseline-random",
    "/models/baseline-random/cldr-names-write",
    "/models/command-script-alert-x-script",
    "/tasks/",
    "/tasks/sib200",
    "/tasks/cldr-names-write",
    "/method",
    "/energy",
    "/tokens",
    "/costs",
    "/costs?language=yor_Latn",
)


def twin(path: str) -> str:
    path, mark, asked = path.partition("?")
    if mark:
        return f"{path}.json?{asked}"
    return "/index.json" if path == "/" else f"{path.rstrip('/')}.json"


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


def data(client: FlaskClient, path: str) -> Any:
    answer = client.get(twin(path))
    assert (answer.status_code, answer.mimetype) == (200, "application/json"), path
    return answer.get_json()


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_valid_html_with_headers(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    elements = check(answer.get_data(as_text=True))
    for tag, attributes in elements:
        for name in ("href", "src"):
            if tag != "use" and name in attributes:
                assert (attributes[name] or "").startswith(("/", "#")), f"{tag} leads away: {attributes}"
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == CURRENT_CACHE
    assert "Referrer-Policy" in answer.headers


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_every_page_leads_somewhere(client: FlaskClient, path: str) -> None:
    elements = check(text(client, path))
    ids = {attributes["id"] for _, attributes in elements if "id" in attributes}
    links = {attributes["href"] or "" for _, attributes in elements if "href" in attributes}
    for href in sorted(links):
        if href.startswith("#"):
            assert href[1:] in ids
        elif path != "/languages/" or href[-3:] < "Bam":  # not all 434 of them
            assert client.get(href).status_code == 200, href


@pytest.mark.parametrize("path", PAGES)
def test_unchanged_pages_are_not_sent_again(client: FlaskClient, path: str) -> None:
    for address in (path, twin(path)):
        tag = client.get(address).headers["ETag"]
        again = client.get(address, headers={"If-None-Match": tag})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    other = client.get("/method" if path != "/method" else "/", headers={"If-None-Match": tag})
    assert other.status_code == 200


def rows_of(cell: dict[str, Any]) -> list[str]:
    """How a cell's numbers stand in a row."""
    if cell["value"] is None:
        return [wording.reason(cell["reasons"]["value"]).replace(" %", "%")]
    said = [
        wording.number(cell["value"], cell["metric"]),
        wording.number(cell["chance"], cell["metric"]),
        str(cell["n"]),
    ]
    shown = [*said, wording.interval(Cell(**cell))]
    return [each.replace(" %", "%") for each in shown]  # as English writes a per cent


@pytest.mark.parametrize("path", ["/models/hf-maker-gaps/sib200", "/models/baseline-random/cldr-names-write"])
def test_a_model_and_task_page_has_the_numbers_of_its_json(client: FlaskClient, path: str) -> None:
    shown, told = tables(text(client, path)), data(client, path)
    for rows, table in zip(shown, told["tables"], strict=True):
        for row, line in zip(rows[1:], table["lines"], strict=True):
            assert row.startswith(line["language"]["name"])
            expected = rows_of(line["cell"]) if line["cell"] else [wording.reason(line["reason"])]
            assert all(part in row for part in expected), (row, expected)


def test_models_are_read_against_the_highest_floor(client: FlaskClient) -> None:
    (table,) = data(client, "/languages/pes_Arab")["benchmarks"]
    assert table["to_beat"]["model"]["name"] == "baseline:majority"
    verdicts = {line["model"]["name"]: line["against"] for line in table["models"]}
    assert verdicts["hf:maker/good"] == "above"
    assert "above the floor" in text(client, "/languages/pes_Arab")


def test_missing_cells_say_why(client: FlaskClient) -> None:
    yoruba = words(text(client, "/languages/yor_Latn"))
    assert "withheld: more than 0.5% of the requests failed" in yoruba and "5 of 40 failed" in yoruba
    assert "not run hf:maker/gaps , hf:maker/good" in yoruba
    assert "fewer than 20 items: shown, not counted" in words(text(client, "/languages/amh_Ethi"))
    assert "No benchmark result in Hausa" in words(text(client, "/languages/hau_Latn"))
    assert "it has the language, and no model was asked yet" in words(text(client, "/languages/hau_Latn"))
    gaps = words(text(client, "/models/hf-maker-gaps"))
    assert "not ranked: some languages of the task are missing" in gaps
    assert "1 more with too few items, not counted" in gaps and "1 without a number" in gaps
    assert "Not run: this model was not asked this task." in words(text(client, "/models/hf-maker-good/cldr-calendar"))
    (mean,) = data(client, "/models/hf-maker-gaps")["benchmarks"]
    assert (mean["mean"]["languages"], mean["mean"]["declared"], mean["mean"]["reason"]) == (1, 205, "partial")


def test_hostile_names_and_answers_are_text(client: FlaskClient) -> None:
    for path in PAGES:
        page = text(client, path)
        assert "<script" not in page and "<img" not in page and "\u202e" not in page
    page = text(client, "/models/command-script-alert-x-script")
    assert "&lt;script&gt;" in page and "onerror=&#34;" in page
    assert data(client, "/models/command-script-alert-x-script")["model"]["name"] == HOSTILE
    for path in ("/languages/<script>alert(1)</script>", "/models/<script>", "/tasks/%3Cscript%3E", "/<script>"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "<script>" not in answer.get_data(as_text=True)
        assert "Content-Security-Policy" in answer.headers


def test_autonyms_carry_their_language_and_direction(client: FlaskClient) -> None:
    persian = 'lang="fa" dir="rtl">فارسی</bdi>'
    assert persian in text(client, "/languages/?q=fa") and persian in text(client, "/languages/pes_Arab")
    assert 'lang="yo" dir="ltr">Èdè Yorùbá</bdi>' in text(client, "/languages/yor_Latn")
    elements = check(text(client, "/languages/?script=Arab"))
    assert len([tag for tag, attributes in elements if tag == "bdi" and attributes["dir"] == "rtl"]) > 20
    assert ("html", {"lang": "en", "dir": "ltr"}) in elements


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/languages/yo", "/languages/yor_Latn"),
        ("/languages/yo.json", "/languages/yor_Latn.json"),
        ("/languages/Yoruba", "/languages/yor_Latn"),
        ("/languages/YOR_LATN", "/languages/yor_Latn"),
    ],
)
def test_other_spellings_of_a_language_are_redirected(client: FlaskClient, path: str, target: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (301, target)
    assert answer.headers["Cache-Control"] == CURRENT_CACHE


@pytest.mark.parametrize(
    ("path", "target"),
    [("/board/", "/board"), ("/models/hf-maker-good/", "/models/hf-maker-good"), ("/languages", "/languages/")],
)
def test_a_slash_too_many_or_too_few_leads_to_the_page(client: FlaskClient, path: str, target: str) -> None:
    answer = client.get(path, headers={"Host": "elsewhere.example"})
    assert (answer.status_code, answer.headers["Location"]) == (308, target)
    assert answer.headers["Cache-Control"] == CURRENT_CACHE
    assert client.get("/nowhere/").status_code == client.get("/models/nobody/x/y/").status_code == 404


def test_conditions_match_weakly_and_a_star_means_a_page_that_is_there(client: FlaskClient) -> None:
    tag = client.get("/board").headers["ETag"]
    assert client.get("/board", headers={"If-None-Match": f"W/{tag}"}).status_code == 304
    assert client.get("/board", headers={"If-None-Match": "*"}).status_code == 304
    assert client.get("/models/nobody", headers={"If-None-Match": "*"}).status_code == 404


def test_only_trusted_hosts_where_some_are_named(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOARD_HOSTS", "board.example, localhost")
    visitor = create_app(board).test_client()
    assert visitor.get("/board").status_code == 200
    assert visitor.get("/board", headers={"Host": "board.example"}).status_code == 200
    assert visitor.get("/board", headers={"Host": "elsewhere.example"}).status_code == 400


def test_what_is_not_there_is_a_helpful_404(client: FlaskClient) -> None:
    for path, href in (
        ("/languages/yorub", "/languages/yor_Latn"),
        ("/languages/zh", "/languages/zho_Hans"),
        ("/models/hf-maker-god", "/models/hf-maker-good"),
        ("/tasks/sib20", "/tasks/sib200"),
        ("/models/hf-maker-good/sib", "/languages/"),
        ("/nowhere", "/languages/"),
    ):
        answer = client.get(path)
        assert answer.status_code == 404 and "ETag" not in answer.headers
        check(answer.get_data(as_text=True))
        assert f'href="{href}"' in answer.get_data(as_text=True), path
    answer = client.get("/languages/yorub.json")
    assert answer.status_code == 404
    assert answer.get_json()["near"][0]["href"] == "/languages/yor_Latn"
    assert "No language has that name or code." in client.get("/languages/yorub").get_data(as_text=True)
    assert "That name is ambiguous." in client.get("/languages/zh").get_data(as_text=True)
    refused = client.post("/board")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_static_files_are_named_by_their_content(client: FlaskClient) -> None:
    styles = [a["href"] for tag, a in check(text(client, "/")) if tag == "link" and a["rel"] == "stylesheet"]
    answers = [client.get(style or "") for style in styles]
    assert styles and sum(len(answer.data) for answer in answers) < 30_000
    for answer in answers:
        assert (answer.status_code, answer.mimetype) == (200, "text/css")
        assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/static/style.css").status_code == 404
    assert client.get("/static/..%2fapp.py").status_code == 404


def test_a_new_snapshot_shows_at_once(tmp_path: Path) -> None:
    first = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    second = run_sib200(tmp_path / "2.run.db", Scripted("hf:b", knows(3)), [sentences("yor_Latn")])
    name = publish([first], tmp_path / "board").snapshot
    visitor = create_app(tmp_path / "board").test_client()
    before = visitor.get("/models/")
    assert name in before.get_data(as_text=True)
    publish([second], tmp_path / "board")
    after = visitor.get("/models/", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200 and "hf:b" in after.get_data(as_text=True)


def test_a_board_that_breaks_is_a_503_and_comes_back(tmp_path: Path) -> None:
    run = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    info = publish([run], tmp_path / "board")
    visitor = create_app(tmp_path / "board").test_client()
    whole = info.path.read_bytes()
    info.path.chmod(0o644)
    for broken in (b"nonsense" * 1000, whole[:5000], b""):
        info.path.write_bytes(broken)
        for path in ("/", "/board", "/board.json", "/languages/yor_Latn", "/healthz"):
            answer = visitor.get(path)
            assert answer.status_code == 503 or (path == "/healthz" and broken == whole[:5000]), (path, broken[:10])
            assert "Traceback" not in answer.get_data(as_text=True)
    info.path.write_bytes(whole)
    with sqlite3.connect(info.path) as connection:
        connection.execute("UPDATE texts SET text = 'no JSON'")
    connection.close()
    assert visitor.get("/tasks/sib200").status_code == 503
    info.path.write_bytes(whole)
    assert visitor.get("/board").status_code == 200
    assert visitor.get("/healthz").get_json() == {"status": "ok", "snapshot": info.snapshot}
    (tmp_path / "board" / snapshot.CURRENT).write_text("../../etc/passwd")
    assert visitor.get("/board").status_code == 503


def test_no_board_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="publish a run first: python -m bench publish"):
        create_app(tmp_path / "board")


def test_a_snapshot_cannot_be_written_through_the_site(board: Path) -> None:
    connection = snapshot.connect(board, snapshot.current(board))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM results")
    connection.close()


def test_the_method_page_tells_the_intervals_as_they_are_made(client: FlaskClient) -> None:
    said = words(text(client, "/method"))
    assert "Wilson’s interval; where questions share a passage or document, on fewer effective questions" in said
    assert "a bootstrap of 1,000 rounds, which draws whole documents" in said
