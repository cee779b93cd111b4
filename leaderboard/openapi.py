"""The description of the interface for programs (OpenAPI 3.1), made from the pages themselves and the desk's addresses.

A page and its data differ in the suffix of their address alone, and the data of a page are its record.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, get_type_hints

import msgspec
from flask import Response, request

from leaderboard import asking, twins
from leaderboard.desk import queue, web
from leaderboard.desk.store import ID
from leaderboard.prefixes import LOCALES
from leaderboard.problems import Link
from leaderboard.site import CURRENT_CACHE, Page, Site

VERSION = "1.0.0"
"""Raised in its first number when something is taken away, in its second when something comes."""

TURNS = frozenset({"page", "cols", "languages"})
"""Parameters that turn the pages of a table."""

Schema = dict[str, Any]

_REF = "#/components/schemas/{name}"
_VARIABLE = re.compile("<([a-z_]+)>")
_NAME = "^[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?$"
_MEANING = {
    "200": "The page, or its data.",
    "301": "The address under which it is kept.",
    "304": "What the client has is still right.",
    "308": "The address without the slash at its end.",
    "400": "A parameter means nothing; the message says which would.",
    "401": "No such token, or it has expired or was revoked.",
    "403": "The token may not do this, or another site sent the form.",
    "404": "Nothing has that address; `near` are addresses that may have been meant.",
    "409": "The submission is in a state in which that cannot be done.",
    "410": "Under /snapshots/<hash>: the snapshot is of another format than this site reads. The board keeps its file.",
    "411": "The request does not say how long its body is.",
    "413": "The file is larger than the board takes.",
    "415": "The body is of another type than the board takes.",
    "429": "Too many in a short time; Retry-After says when to go on.",
    "503": "The board cannot do this at the moment; Retry-After says when to try again, where waiting helps.",
    "507": "The board has no room left.",
}


@dataclass(frozen=True, slots=True)
class Error:
    """What is wrong, in one line, and addresses that may have been meant."""

    error: str
    near: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A submission for a program that waits for it. `address` is that of its page."""

    id: str
    state: str
    reason: str
    detail: str
    address: str


def register(site: Site) -> None:
    """Serves the description under `/openapi.json`. Every page has to be registered when it is first asked for."""

    @functools.cache
    def made() -> bytes:
        return json.dumps(document(site.pages), ensure_ascii=False, separators=(",", ":")).encode()

    @site.app.get("/openapi.json")
    def openapi() -> Response:
        packed = request.accept_encodings.quality("gzip") > 0
        answer = Response(gzip.compress(made(), mtime=0) if packed else made(), content_type="application/json")
        if packed:
            answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Vary"] = "Accept-Encoding"
        answer.set_etag(f"{hashlib.sha256(made()).hexdigest()[:20]}{'-gz' if packed else ''}")
        answer.headers["Cache-Control"] = CURRENT_CACHE
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.make_conditional(request)  # in its place
        return answer


def document(pages: Iterable[Page]) -> Schema:
    """The whole description, of pages and of the desk."""
    pages = list(pages)
    names, schemas = _schemas([*dict.fromkeys(page.record for page in pages), Error, Told, queue.Queue, queue.Case])
    paths: Schema = {}
    for page in pages:
        paths |= _page(page, names[page.record])
    paths |= _desk(names)
    tongues = ", ".join(f"/{locale}" for locale in LOCALES[1:])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Language model board",
            "version": VERSION,
            "description": (
                "Every page has its data beside it, as .json, .csv and .parquet. Before any address may stand a "
                f"language of the interface ({tongues}) and /snapshots/<hash>, which fixes the numbers (410 where "
                "this site does not read the format of that snapshot). "
                "Within one first number of the version no address, parameter or field is taken away or changes its "
                "meaning; new ones may come, and readers should pass over what they do not know."
            ),
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "bench_..."}},
        },
    }


def _schemas(records: list[type[Any]]) -> tuple[dict[type[Any], Schema], Schema]:
    """The schema of each record, mostly a reference, and what the references lead to."""
    plain = [record for record in records if _describable(record)]
    made, components = msgspec.json.schema_components(plain, ref_template=_REF)
    names = dict(zip(plain, made, strict=True))
    for record in records:
        if record not in names:
            components[record.__name__] = _by_field(record)
            names[record] = {"$ref": _REF.format(name=record.__name__)}
    return names, components


def _describable(record: Any) -> bool:
    try:
        msgspec.json.schema_components([record])
    except TypeError:  # somewhere within is a type that contains itself
        return False
    return True


def _by_field(record: type[Any]) -> Schema:
    """The schema of a record that has a field with any JSON in it."""
    hints = get_type_hints(record)
    properties = {
        field.name: msgspec.json.schema(hints[field.name]) if _describable(hints[field.name]) else {}
        for field in fields(record)
    }
    required = [field.name for field in fields(record) if field.default is MISSING and field.default_factory is MISSING]
    # Definitions stand where their references lead, within this schema alone.
    return _inlined({"type": "object", "properties": properties, "required": required})


def _inlined(schema: Schema) -> Schema:
    definitions: Schema = {}

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            definitions.update(value.get("$defs", {}))
            return {key: walk(each) for key, each in value.items() if key != "$defs"}
        return [walk(each) for each in value] if isinstance(value, list) else value

    made = walk(schema)

    def resolve(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return resolve(walk(definitions[value["$ref"].rsplit("/", 1)[1]]))
            return {key: resolve(each) for key, each in value.items()}
        return [resolve(each) for each in value] if isinstance(value, list) else value

    resolved: Schema = resolve(made)
    return resolved


def _page(page: Page, record: Schema) -> Schema:
    """The paths of a page and of its data."""
    variables = _VARIABLE.findall(page.rule)
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": _NAME, "maxLength": 200}}
        for name in variables
    ]
    parameters += [_parameter(name, turns=name in TURNS) for name in page.parameters]
    statuses = [*(["301"] if variables else []), "304", "400", "404", "410", "503"]
    made = {}
    for suffix, kind in {"": "text/html", **twins.FORMATS}.items():
        address = _VARIABLE.sub(r"{\1}", page.twin(suffix) if suffix else page.rule)
        shown: Schema = record if suffix == "json" else {"type": "string"}
        kind = kind.partition(";")[0]  # noqa: PLW2901 - without its charset
        wrong = _problem() if suffix else {"text/html": {"schema": {"type": "string"}}}
        answers = _answers(statuses, wrong)
        answers["200"] = {"description": _MEANING["200"], "content": {kind: {"schema": shown}}}
        operation = {
            "operationId": f"{page.endpoint}{suffix and '.' + suffix}",
            "summary": f"{page.rule}{f', as {suffix}' if suffix else ', for reading'}",
            "parameters": parameters,
            "responses": dict(sorted(answers.items())),
        }
        made[address] = {"get": operation}
    return made


def _parameter(name: str, *, turns: bool = False) -> Schema:
    """A parameter of the query; one that `turns` the pages of a table is a number, any other one text or several."""
    told: Schema = {"name": name, "in": "query", "required": False}
    if turns:
        return {**told, "schema": {"type": "integer", "minimum": 1}}
    values = {
        "type": "array",
        "items": {"type": "string", "maxLength": asking.LONGEST_VALUE},
        "maxItems": asking.MOST_VALUES,
    }
    return {**told, "style": "form", "explode": True, "schema": values}


def _problem() -> Schema:
    return {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}}


def _answers(statuses: Iterable[str], wrong: Schema) -> Schema:
    return {code: {"description": _MEANING[code], **({"content": wrong} if code >= "400" else {})} for code in statuses}


def _desk(names: Mapping[type[Any], Schema]) -> Schema:
    """The paths of the desk that are for programs; the forms are for browsers."""
    number = {
        "name": "number", "in": "path", "required": True, "schema": {"type": "string", "pattern": f"^{ID.pattern}$"}
    }  # fmt: skip
    told = {"application/json": {"schema": names[Told]}}
    binary = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in sorted(web.TYPES)}

    def operation(name: str, ok: str, content: Schema, statuses: Iterable[str], **more: Any) -> Schema:
        answers = {ok: {"description": "What was asked for.", "content": content}, **_answers(statuses, _problem())}
        return {"operationId": name, "responses": answers, **more}

    token: list[Schema] = [{"token": []}]
    listed, one = ({"application/json": {"schema": names[record]}} for record in (queue.Queue, queue.Case))
    sent = {"required": True, "content": binary}
    refused = ("400", "401", "403", "411", "413", "415", "429", "503", "507")
    return {
        "/submissions.json": {
            "get": operation(
                "submissions", "200", listed, ("400", "503"), parameters=[_parameter("state"), _parameter("before")]
            )
        },
        "/submissions/{number}.json": {"get": operation("submission", "200", one, ("404", "503"), parameters=[number])},
        "/submissions/log.jsonl": {
            "get": operation("log", "200", {"application/jsonl": {"schema": {"type": "string"}}}, ("503",))
        },
        "/api/submissions": {"post": operation("submit", "201", told, refused, requestBody=sent, security=token)},
        "/api/submissions/{number}": {"get": operation("state", "200", told, ("404", "503"), parameters=[number])},
        "/api/submissions/{number}/withdraw": {
            "post": operation(
                "withdraw", "200", told, ("401", "403", "404", "409", "429", "503"), parameters=[number], security=token
            )
        },
    }
