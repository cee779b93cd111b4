"""Small repositories in the hub's layout, made from the invented rows in `hub/*.json`: see `hub/README.md`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets

HUB = Path(__file__).with_name("hub")

Rows = list[dict[str, Any]]


def fixtures() -> list[str]:
    """The datasets that have a fixture."""
    return sorted(path.stem for path in HUB.glob("*.json"))


def fixture(dataset: str) -> dict[str, Any]:
    """What a fixture says."""
    content: dict[str, Any] = json.loads((HUB / f"{dataset}.json").read_text("utf-8"))
    return content


def write(dataset: str, mirror: Path) -> Path:
    """Writes the dataset's repository into a mirror; returns its folder."""
    content = fixture(dataset)
    folder = mirror / dataset
    folder.mkdir(parents=True)
    if content["layout"] == "files":
        for path, rows in content["files"].items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
        return folder
    cards = []
    for config in content["configs"]:
        files = []
        for split, rows in content.get("splits_by_config", {}).get(config, content.get("splits", {})).items():
            path = Path("data") / (config or "default") / f"{split}-00000-of-00001.{content['layout']}"
            if content.get("card") is False:  # the hub's own conversion to Parquet
                path = Path(config) / split / f"0000.{content['layout']}"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            _write_rows(rows, content.get("features"), content["layout"], folder / path)
            files.append(f"  - split: {split}\n    path: {json.dumps(str(path))}\n")
        cards.append(f"- config_name: {json.dumps(config or 'default')}\n  data_files:\n{''.join(files)}")
    if content.get("card") is not False:
        (folder / "README.md").write_text(f"---\nconfigs:\n{''.join(cards)}---\n", "utf-8")
    return folder


def _write_rows(rows: Rows, features: Mapping[str, Any] | None, layout: str, path: Path) -> None:
    if layout in ("json", "jsonl"):
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
        return
    typed = datasets.Features({name: _feature(made) for name, made in features.items()}) if features else None
    names = list(features) if features else list(rows[0])
    columns = {name: [row.get(name) for row in rows] for name in names}
    made = datasets.Dataset.from_dict(columns, features=typed)
    if layout == "parquet":
        made.to_parquet(str(path))
    elif layout == "csv":
        made.to_csv(str(path), index=False)
    else:
        raise ValueError(f"{path}: unknown layout {layout}")


def _feature(made: Any) -> Any:
    """A column's type as the fixture writes it."""
    if isinstance(made, str):
        return datasets.Value(made)
    if isinstance(made, list):
        return datasets.List(_feature(made[0]))
    if set(made) == {"ClassLabel"}:
        return datasets.ClassLabel(names=made["ClassLabel"])
    return {name: _feature(one) for name, one in made.items()}
