"""Building the registry from its sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from languages import build
from languages.tables import FOLDER, read_table


def test_the_committed_registry_is_what_the_sources_give(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("babel")
    code = build.main(["--data", str(data), "--check"])
    assert code == 0, capsys.readouterr().out


def test_a_difference_is_shown(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("babel")
    text = (FOLDER / "registry.tsv").read_text(encoding="utf-8")
    (tmp_path / "registry.tsv").write_text(text.replace("Yoruba", "Yorubo", 1), encoding="utf-8")
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    assert build.main(["--data", str(data), "--check"]) == 1
    assert "-yor_Latn" in capsys.readouterr().out


def test_a_missing_source_is_named_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("babel")
    assert build.main(["--data", str(tmp_path), "--check"]) == 1
    error = capsys.readouterr().err
    assert "no linguameta.tsv in" in error and len(error.splitlines()) == 1


def test_every_override_is_reviewed_and_used() -> None:
    codes = {row["code"] for row in read_table("registry.tsv")}
    bases = {code.split("_")[0] for code in codes}
    for row in read_table("overrides.tsv"):
        assert row["note"], row
        assert row["code"] in codes | bases, row
