"""Tables keep their columns and types whatever rows they have, and data that have all rows speak of no other part."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import pyarrow.parquet as pq
import pytest
from flask.testing import FlaskClient

from leaderboard import snapshot, twins, walking
from leaderboard.site import Page, Site


class Loose(TypedDict):
    """A row that is no record."""

    name: str
    points: float | None


@dataclass(frozen=True)
class Inner:
    """A record within one."""

    number: float | None
    kind: Literal["a", "b"] | None
    whole: int | float


@dataclass(frozen=True)
class Row:
    """A row."""

    name: str
    inner: Inner | None
    names: tuple[str, ...]
    reasons: Mapping[str, str]
    count: int | None
    anything: int | str


COLUMNS = ["name", "inner.number", "inner.kind", "inner.whole", "names", "reasons", "count", "anything"]
TYPES = ["string", "double", "string", "double", "string", "string", "int64", "null"]


def test_a_table_without_rows_has_its_columns_and_their_types() -> None:
    assert twins.to_csv([], Row).decode() == ",".join(COLUMNS) + "\r\n"
    found = pq.read_schema(io.BytesIO(twins.to_parquet([], Row)))
    assert (found.names, [str(each) for each in found.types]) == (COLUMNS, TYPES)
    assert twins.to_csv([], Loose) == b"name,points\r\n"


def test_columns_stand_in_the_same_order_whatever_the_first_row_lacks() -> None:
    bare, full = Row("a", None, (), {}, None, 1), Row("b", Inner(1, "a", 1), ("x",), {}, 2, 2)
    schemas = [pq.read_schema(io.BytesIO(twins.to_parquet(rows, Row))) for rows in ([bare], [full], [bare, full])]
    assert schemas[0].names == COLUMNS and schemas[0].equals(schemas[1]) and schemas[0].equals(schemas[2])


def test_a_column_of_one_thing_among_several_has_the_type_of_the_column() -> None:
    rows = [{"name": "a", "points": None, "task@1:points": None, "task@2:points": 1, "other": None}]
    found = pq.read_schema(io.BytesIO(twins.to_parquet(rows, Loose)))
    types = {name: str(found.field(name).type) for name in found.names}
    assert types == {
        "name": "string",
        "points": "double",
        "task@1:points": "double",
        "task@2:points": "double",
        "other": "null",
    }


def pages(site: Site) -> dict[Page, str]:
    """Each page with one address of it."""
    found: dict[Page, str] = {}
    for stop in walking.stops(site, snapshot.current(site.folder)):
        found.setdefault(stop.page, stop.path)
    return found


def test_every_page_declares_what_its_rows_are(client: FlaskClient) -> None:
    """The columns without any row are those of the rows that there are, but for those of single tasks."""
    tried = 0
    for page, path in pages(walking.site_of(client.application)).items():
        declared = twins.to_csv([], page.row).decode().strip().split(",")
        rows = list(csv.reader(io.StringIO(client.get(f"{path.rstrip('/') or '/index'}.csv").get_data(as_text=True))))
        assert rows[0][: len(declared)] == declared, path
        assert all(":" in column for column in rows[0][len(declared) :]), path
        typed = twins.columns_of(page.row)
        parquet = pq.read_schema(io.BytesIO(client.get(f"{path.rstrip('/') or '/index'}.parquet").data))
        named = {"float": "double", "int": "int64", "bool": "bool", "str": "string"}
        for column in declared:
            if typed[column]:
                assert str(parquet.field(column).type) == named[typed[column]], (path, column)
        tried += len(rows) > 1
    assert tried > 20


@pytest.mark.parametrize(
    "path",
    [
        "/energy.csv?language=zzzz",
        "/tokens.csv",
        "/costs.csv?language=zzzz",
        "/coverage.csv?q=zzzz",
        "/languages.csv?q=zzzz",
        "/models.csv?q=zzzz",
        "/compare.csv",
        "/diff.csv",
        "/plots/energy.csv",
    ],
)
def test_what_finds_nothing_still_says_what_it_would_have_said(client: FlaskClient, path: str) -> None:
    (head,) = client.get(path).get_data(as_text=True).splitlines()
    assert head.count(",") > 2


@pytest.mark.parametrize("path", ["/map", "/plots/size", "/plots/energy"])
def test_data_with_all_rows_speak_of_one_part(client: FlaskClient, path: str) -> None:
    first, second = (client.get(f"{path}.json{query}").get_json() for query in ("", "?page=2"))
    rows = first.get("rows", first.get("points"))
    assert first == second
    assert (first["part"], first["start"]) == ({"number": 1, "pages": 1, "total": len(rows)}, 0)


def test_only_data_with_all_rows_do(client: FlaskClient) -> None:
    """A page whose JSON is a part of its table has as many rows on all its pages together as the part says."""
    read: dict[str, Any] = client.get("/coverage.json").get_json()
    assert read["part"]["pages"] > 1 and len(read["rows"]) < read["part"]["total"]
    every = [client.get(f"/coverage.json?page={n + 1}").get_json()["rows"] for n in range(read["part"]["pages"])]
    assert sum(map(len, every)) == read["part"]["total"]


def test_the_description_says_that_pages_are_numbers(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    turns = {"page", "cols", "languages"}
    for path, operations in document["paths"].items():
        for one in operations.get("get", {}).get("parameters", ()):
            if one["in"] == "query":
                assert (one["schema"]["type"] == "integer") == (one["name"] in turns), (path, one["name"])
    assert client.get("/tasks/sib200?languages=x").status_code == client.get("/map?page=x").status_code == 400
