"""Plans made again and answers scored again: every honest way of asking passes, and what was changed is named."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

import tasks
from bench import session
from bench.plan import ENGLISH, Style, choose_languages
from bench.plan import load as read
from bench.records import Request, Response
from bench.runfile import RunFile
from leaderboard.desk import checking, rescoring
from leaderboard.desk.limits import DEFAULT
from leaderboard.desk.structure import Refused
from leaderboard.desk.verdicts import COPY, RUN, UPLOAD, Verdict
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences
from tests.leaderboard.desk.hostile_files import edited, picked_items

LANGUAGES = ("yor_Latn", "amh_Ethi")


def first_option(request: Request) -> Response:
    text = request.options[0] if request.options else request.input or "a"
    return Response(request.id, "ok", text, finish="stop", output_tokens=3)


def perform(
    path: Path, names: Sequence[str], codes: Sequence[str], limit: int | None = None, style: Style = ENGLISH
) -> Path:
    blocks = read(choose_languages(tasks.select(names), codes), limit, shots=style.shots)
    session.perform(Scripted("hf:maker/first", first_option), blocks, None, path, style=style)
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a check, on a machine without data."""
    monkeypatch.delenv("BENCH_DATA", raising=False)
    folder = tmp_path / "check"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def verdict(run: Path, folder: Path, data: Path | None = None) -> Verdict:
    shutil.copyfile(run, folder / UPLOAD)
    return checking.check(folder, data, DEFAULT)


@pytest.mark.parametrize(
    ("limit", "style"),
    [
        (None, ENGLISH),
        (7, ENGLISH),
        (None, Style(shots=2)),
        (5, Style(prompt_language="native", shots=1)),
        (4, Style(repeats=3)),
    ],
    ids=["whole", "limit", "examples", "native", "repeats"],
)
def test_every_honest_way_of_asking_is_re_scored(limit: int | None, style: Style, here: Path, tmp_path: Path) -> None:
    run = perform(tmp_path / "a.run.db", ("cldr-calendar", "cldr-names-write"), LANGUAGES, limit, style)
    found = verdict(run, here)
    assert (found.reason, found.detail, found.badge) == ("", "", "re_scored")


def test_a_run_that_was_made_longer_is_re_scored(here: Path, tmp_path: Path) -> None:
    for limit in (3, 9):
        run = perform(tmp_path / "a.run.db", ("cldr-calendar",), LANGUAGES, limit)
    run = perform(tmp_path / "a.run.db", ("cldr-names-write",), LANGUAGES[:1], 5, Style(repeats=2))
    assert verdict(run, here).badge == "re_scored"


def test_real_data_are_re_scored_where_they_are_here(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_DATA", str(data))
    if not (data / "sib200").is_dir():
        pytest.skip("the mirror has no sib200")
    run = perform(tmp_path / "a.run.db", ("sib200",), LANGUAGES, 12, Style(shots=2))
    folder = tmp_path / "check"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert verdict(run, folder, data).badge == "re_scored"


def test_other_texts_under_the_names_of_the_data_are_refused(
    data: Path, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (data / "sib200").is_dir():
        pytest.skip("the mirror has no sib200")
    monkeypatch.setenv("BENCH_DATA", str(data))
    run = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(9)), [sentences("yor_Latn")])
    assert verdict(run, here, data).reason == "forged_plan"


def test_what_cannot_be_re_scored_is_named_and_the_rest_is(here: Path, tmp_path: Path) -> None:
    run = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(9)), [sentences("yor_Latn")])
    blocks = [*read(choose_languages(tasks.select(["cldr-calendar"]), LANGUAGES), None)]
    with RunFile.read(run) as opened:
        identity = opened.identity()
    model = Scripted(identity.model, first_option)
    session_run(model, blocks, run)
    found = verdict(run, here)
    assert (found.reason, found.badge) == ("", "self_reported")
    assert "sib200" in found.detail and "the rest was scored anew" in found.detail
    count = "UPDATE cells SET cell = json_set(cell, '$.output_tokens', 1) WHERE cell ->> '$.task' = 'cldr-calendar'"
    # Cells still follow from the scores, and the scores from no answer any more: only scoring anew finds that.
    answers = """
        UPDATE responses SET text = 'nothing of these' WHERE request IN
        (SELECT requests.id FROM requests JOIN places ON places.id = place WHERE task LIKE 'cldr-calendar@%')
    """
    for name, change, said in (("count", count, "output_tokens of cldr-calendar"), ("answers", answers, "re-scored")):
        with edited(run, tmp_path / f"{name}.run.db") as connection:
            connection.execute(change)
        (here / UPLOAD).unlink()
        (here / RUN).unlink()
        (here / COPY).unlink(missing_ok=True)
        found = verdict(tmp_path / f"{name}.run.db", here)
        assert found.reason == "forged_scores" and said in found.detail and "cldr-calendar" in found.detail


def session_run(model: Scripted, blocks: Sequence[object], path: Path) -> None:
    """Adds blocks to a run whose other data are made up, so that nothing reads these again."""
    from bench import prompting
    from bench.runfile_records import Identity, Planned, SampleFacts
    from tests.plans import asked

    known = {sample.id: sample for block in blocks for sample in block.samples}  # type: ignore[attr-defined]
    planned, _ = asked(blocks, model.capabilities, session.asker(model), None)  # type: ignore[arg-type]
    with RunFile.open(path, Identity(model.name, model.revision, model.template, model.decoding)) as run:
        run.add_plan(
            Planned(each, SampleFacts(prompting.digest(known[each.sample]), known[each.sample].cluster), each.prompt)
            for each in planned
        )
        run.record(list(model.respond(planned)))
        session.rescore(run, [*blocks, sentences("yor_Latn")])  # type: ignore[list-item]


def test_data_of_another_version_are_wrong(here: Path, tmp_path: Path) -> None:
    model = Scripted("hf:a", knows(9))
    run = run_sib200(tmp_path / "a.run.db", model, [sentences("yor_Latn")], locked=False)
    found = verdict(run, here)
    assert found.reason == "wrong_data" and "sib200/data/annotated/yor_Latn/test.tsv" in found.detail


def test_picked_items_are_named(runs: list[Path], tmp_path: Path) -> None:
    path = picked_items(runs[0], tmp_path / "a.run.db")
    with RunFile.read(path) as run, pytest.raises(Refused, match="not those that --limit") as refused:
        rescoring.check_plan(run)
    assert refused.value.reason == "picked_items"


def test_a_repeat_left_out_is_picking(here: Path, tmp_path: Path) -> None:
    run = perform(tmp_path / "a.run.db", ("cldr-names-write",), LANGUAGES[:1], 4, Style(repeats=3))
    with edited(run, tmp_path / "picked.run.db") as connection:
        for table, column in (("scores", "request"), ("responses", "request"), ("requests", "id")):
            connection.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT id FROM requests WHERE repeat = 1)")
    with RunFile.open(tmp_path / "picked.run.db", None) as opened:
        session.rescore(opened)
    assert verdict(tmp_path / "picked.run.db", here).reason == "picked_items"


def test_differences_name_cell_and_numbers(runs: list[Path], tmp_path: Path) -> None:
    with edited(runs[0], tmp_path / "forged.run.db") as connection:
        connection.execute("UPDATE cells SET cell = json_set(cell, '$.ci_low', 0.123) WHERE position = 1")
        connection.execute("DELETE FROM cells WHERE position = 2")
    with RunFile.read(tmp_path / "forged.run.db") as said, RunFile.read(runs[0]) as made:
        places = {place.id for place in made.places()}
        found = list(rescoring.differences(said, made, places))
        assert len(found) == 2
        assert "said ci_low 0.123, re-scored" in found[0]
        assert "said nothing, re-scored a result" in found[1]
        assert not list(rescoring.differences(made, made, places))
