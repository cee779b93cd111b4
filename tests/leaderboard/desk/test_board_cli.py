"""`bench board` as an administrator uses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tasks
from bench.cli import main
from leaderboard.desk import access
from leaderboard.desk.store import Desk
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences
from tests.leaderboard.desk.desks import send_file, token_of


class Admin:
    """Runs commands on a board and reads what they print."""

    def __init__(self, board: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.board, self._capsys = board, capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        assert main(["board", *arguments, "--board", str(self.board)]) == code
        said = self._capsys.readouterr()
        if code:
            assert said.err.count("\n") == (code != 1 or not said.out) and "Traceback" not in said.err
        return said.out or said.err

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def admin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Admin:
    """Of a board with one model."""
    floor = run_sib200(tmp_path / "floor.run.db", Scripted("baseline:x", knows(2)), [sentences("yor_Latn")])
    publish([floor], tmp_path / "board")
    return Admin(tmp_path / "board", capsys)


@pytest.fixture
def sent(admin: Admin, tmp_path: Path) -> str:
    """A submission that waits."""
    run = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(6)), [sentences("yor_Latn")])
    with Desk.open(admin.board) as desk:
        found = send_file(desk, token_of(desk, "Ada"), run)
        desk.move(found.id, "checking", actor="intake")
        desk.move(found.id, "waiting", actor="intake", model="hf:a\u202e", badge="re_scored", cells=1)
    return found.id


def test_tokens(admin: Admin) -> None:
    assert admin("tokens", "list") == "no tokens yet\n"
    secret = admin("tokens", "create", "Ada", "--days", "7", "--scope", "submit", "--scope", "withdraw").strip()
    assert secret.startswith("bench_")
    made = admin.json("tokens", "create", "Eve")
    (ada, eve) = sorted(admin.json("tokens", "list"), key=lambda token: str(token["name"]))
    assert (ada["scopes"], eve["id"], "token" in eve) == (["submit", "withdraw"], made["id"], False)
    table = admin("tokens", "list")
    assert "Ada" in table and "never" in table and secret not in table and made["token"] not in table
    assert "is revoked since" in admin("tokens", "revoke", eve["id"])
    with Desk.open(admin.board) as desk:
        assert isinstance(access.check(desk, secret, "withdraw"), access.Token)
        assert isinstance(access.check(desk, made["token"], "submit"), access.Refusal)


def test_accepting(admin: Admin, sent: str) -> None:
    listed = admin("review", "list", "--state", "waiting")
    assert sent in listed and "re_scored" in listed and "\u202e" not in listed
    told = admin.json("review", "accept", sent, "--by", "Mo", "--badge", "sealed_set")
    assert told["state"] == "accepted" and told["snapshot"] in admin("review", "show", sent)
    shown = admin.json("review", "show", sent)
    assert (shown["badge"], shown["events"][-1]["actor"]) == ("sealed_set", "Mo")
    # The badge that the moderator gives is written down before anything is published.
    states = ["received", "checking", "waiting", "waiting", "accepted"]
    assert [event["state"] for event in shown["events"]] == states
    assert admin.json("review", "list", "--state", "waiting") == []


def test_what_accepting_would_replace_is_shown(admin: Admin, sent: str, tmp_path: Path) -> None:
    assert "accepting it as re_scored replaces nothing" in admin("review", "show", sent)
    assert admin.json("review", "show", sent)["outlook"]["replaces"] == []
    blocks = [sentences("yor_Latn", 60), sentences("hau_Latn")]
    publish([run_sib200(tmp_path / "b.run.db", Scripted("hf:a", knows(3)), blocks)], admin.board, badge="re_run")
    shown = admin("review", "show", sent)
    outlook = admin.json("review", "show", sent)["outlook"]
    (replaced,) = outlook["replaces"]
    assert "published here" in shown and "re_run" in shown and replaced["run"] in shown
    assert (replaced["sender"], replaced["badge"], replaced["cells"], replaced["items"]) == ("", "re_run", 2, 100)
    assert [(each["before"], each["after"]) for each in replaced["fewer"]] == [(60, 40)]
    assert "fewer items: 60 -> 40 items in sib200@" in shown
    assert len(outlook["dropped"]) == 1 and "hau_Latn" in outlook["dropped"][0] and "dropped: sib200@" in shown
    assert "it would drop 1 results" in shown and "that takes --replace" in shown
    assert "with --replace, or decline it" in admin("review", "accept", sent, code=2)
    admin("review", "accept", sent, "--replace")
    assert admin.json("review", "show", sent)["outlook"] is None


def test_what_takes_no_replace_says_so(admin: Admin, sent: str, tmp_path: Path) -> None:
    publish([run_sib200(tmp_path / "b.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])], admin.board)
    assert "that takes no --replace" in admin("review", "show", sent)
    with Desk.open(admin.board) as desk:
        desk.upload_path(sent).unlink()
    shown = admin("review", "show", sent)  # what is known is shown all the same
    assert "what accepting it would replace is not known: the file of submission" in shown and "waiting" in shown


def test_declining(admin: Admin, sent: str) -> None:
    told = admin.json("review", "decline", sent, "--reason", "wrong_metadata", "--detail", "its licence is another")
    assert (told["state"], told["reason"]) == ("declined", "wrong_metadata")
    assert "declined (wrong_metadata)" in admin("review", "list")


def test_rerunning(admin: Admin, sent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.runfile._now", lambda: "2030-01-01T00:00:00+00:00")
    other = run_sib200(tmp_path / "b.run.db", Scripted("hf:a", knows(1)), [sentences("yor_Latn")])
    assert "1 of 1 cell differs; the badge stays" in admin("review", "rerun", sent, str(other), code=1)
    same = run_sib200(tmp_path / "c.run.db", Scripted("hf:a", knows(6)), [sentences("yor_Latn")])
    assert "the only cell agrees; the badge is re_run now" in admin("review", "rerun", sent, str(same))
    assert admin.json("review", "show", sent)["badge"] == "re_run"


def test_invalidations(admin: Admin) -> None:
    version = tasks.get("sib200").version
    assert admin("invalidations") == "no invalidations\n"
    told = admin.json("invalidate", "sib200", "--version", version, "--reason", "labels were shifted")
    assert (told["number"], told["versions"]) == (1, [version])
    assert "all versions" in admin("invalidate", "sib200", "--reason", "wrong")
    assert "labels were shifted" in admin("invalidations")
    assert "is lifted" in admin("invalidations", "--lift", "1")
    assert [each["number"] for each in admin.json("invalidations")] == [2]


def test_the_log(admin: Admin, sent: str) -> None:
    lines = [json.loads(line) for line in admin("log", "--json").splitlines()]
    assert [line["state"] for line in lines] == ["received", "checking", "waiting"]
    assert sent in admin("log")
    head = admin.json("log", "--verify")["head"]
    assert head == lines[-1]["hash"] and head in admin("log", "--verify", "--head", lines[0]["hash"])
    assert "tampered with" in admin("log", "--verify", "--head", "f" * 64, code=1)


def test_working(admin: Admin, tmp_path: Path) -> None:
    assert admin("work") == "0 submissions checked\n"
    nothing = tmp_path / "nothing"
    nothing.touch()
    with Desk.open(admin.board) as desk:
        found = send_file(desk, token_of(desk, "Ada"), nothing)
    assert admin.json("work") == {"checked": 1}
    told = admin.json("review", "show", found.id)
    assert (told["state"], told["reason"]) == ("rejected", "bad_file") and told["detail"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["review", "show", "none"], "no submission 'none'"),
        (["review", "accept", "../../x"], "no submission '../../x'"),
        (["review", "list", "--state", "lost"], "no state 'lost'; there are received"),
        (["tokens", "create", "a\u202eb"], "characters that cannot be seen"),
        (["tokens", "create", "Ada", "--days", "999"], "1 to 366 days"),
        (["tokens", "create", "Ada", "--scope", "all"], "the scopes of a token are"),
        (["tokens", "revoke", "none"], "no token 'none'"),
        (["invalidate", "nothing", "--reason", "wrong"], "no task 'nothing'"),
        (["invalidations", "--lift", "9"], "no invalidation 9 holds"),
    ],
)
def test_mistakes_are_one_line(admin: Admin, arguments: list[str], told: str) -> None:
    assert told in admin(*arguments, code=2)


@pytest.mark.parametrize("name", ["none", "plain"])
@pytest.mark.parametrize(
    "command",
    [
        *(
            "tokens create Ada",
            "tokens list",
            "tokens revoke 1",
            "review list",
            "review accept 1",
            "log",
            "log --verify",
        ),
        *("review decline 1 --reason spam --detail x", "invalidate sib200 --reason x", "invalidations", "work"),
        *("invalidations --lift 1", "history", "diff a b", "warm", "freeze --output site"),
    ],
)
def test_where_there_is_no_board(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").mkdir()
    assert main(["board", *command.split(), "--board", name]) == 2
    told = f"bench: no board in {name}; publish a run first: python -m bench publish RUN --board {name}\n"
    assert capsys.readouterr().err == told
    assert [path.name for path in tmp_path.rglob("*")] == ["plain"]
