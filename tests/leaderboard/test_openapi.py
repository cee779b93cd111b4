"""The description of the interface: whole, true, and held against the website itself by generated requests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings

from leaderboard import openapi, walking
from leaderboard.app import create_app
from leaderboard.desk import reception

schemathesis = pytest.importorskip("schemathesis")

from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def described(board: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The description as the website serves it, with the website to hold it against."""
    folder = Path(shutil.copytree(board, tmp_path_factory.mktemp("described") / "board"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(reception.CHECK, "0")
        app = create_app(folder)
    for limiter in app.extensions["limiter"]:
        limiter.enabled = False
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


def test_every_answer_is_as_it_is_described(described: Any) -> None:
    tried = 0
    for found in described.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=5, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy())
        def answers(case: Any) -> None:
            case.call_and_validate(checks=CHECKS, headers={"Accept-Encoding": "identity"})

        answers()
        tried += 1
    assert tried > 60


def test_every_page_is_in_it(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    assert document["openapi"].startswith("3.1")
    pages = walking.site_of(client.application).pages
    for page in pages:
        for suffix in ("json", "csv", "parquet"):
            address = page.twin(suffix).replace("<", "{").replace(">", "}")
            named = {each["name"] for each in document["paths"][address]["get"]["parameters"]}
            assert set(page.parameters) <= named
    served = {rule.rule for rule in client.application.url_map.iter_rules() if rule.rule.endswith(".json")}
    described = {path.replace("{", "<").replace("}", ">") for path in document["paths"] if path.endswith(".json")}
    assert served - described == {"/openapi.json"}


def test_every_reference_leads_to_a_schema(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if "$ref" in value else set()
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    assert references(document) <= known


def test_it_is_packed_tagged_and_the_same_each_time(client: FlaskClient) -> None:
    packed = client.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/openapi.json")
    assert len(packed.data) < 100_000 < 10 * len(plain.data)
    assert packed.headers["ETag"] != plain.headers["ETag"]
    again = client.get("/openapi.json", headers={"If-None-Match": plain.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    site = walking.site_of(client.application)
    assert json.loads(plain.data) == json.loads(json.dumps(openapi.document(site.pages)))
