"""How the batch APIs of OpenAI and Anthropic are spoken to: which calls they take, and what their JSON says. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlencode

from urllib3.filepost import encode_multipart_formdata

from bench.services import attempts, wire
from bench.services.endpoint import Call, Reply, Unusable

_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}


@dataclass(frozen=True, slots=True)
class State:
    """What a service says of a batch.

    `done` of `total` requests have a result. `paths` are where the results are, once it has `ended`. `failure` is a
    reason code and a message where it failed as a whole. `created` is in seconds since 1970; `label` is what we called
    it, "" where the service takes no names.
    """

    id: str
    ended: bool
    done: int
    total: int
    paths: tuple[str, ...] = ()
    failure: str = ""
    created: float = 0.0
    label: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One line of results: the reply, as if the request had been sent alone, or the reason code of its having none."""

    id: str
    reply: Reply | None
    failure: str = ""


class BatchProtocol(Protocol):
    """One service's batch API; `most_requests` and `most_bytes` bound one batch. `labels`: batches have our names."""

    labels: bool
    most_requests: int
    most_bytes: int

    def line(self, custom_id: str, call: Call) -> bytes:
        """A request as a member of a batch."""

    def upload(self, lines: Sequence[bytes]) -> Call | None:
        """What is to be sent before the batch is made; None where nothing is."""

    def create(self, lines: Sequence[bytes], path: str, uploaded: str, label: str) -> Call:
        """Makes a batch of requests to `path`. `uploaded` is the id of what was uploaded."""

    def get(self, batch_id: str) -> Call:
        """Asks how a batch stands."""

    def list(self, after: str) -> Call:
        """Asks for batches, the newest first, those after the one with the id `after`."""

    def state(self, batch: Mapping[str, Any]) -> State:
        """A batch's JSON, read. Raises `Unusable`."""

    def result(self, line: Mapping[str, Any]) -> Result:
        """A line of results, read. Raises `Unusable`."""


def identity(value: Mapping[str, Any], name: str = "id") -> str:
    """The id in an object. Raises `Unusable` where there is none."""
    found = value.get(name)
    if not isinstance(found, str) or not found:
        raise Unusable(f"no_{name}")
    return found


def _reply(status: int, body: object) -> Reply:
    return Reply(status, {}, json.dumps(body).encode(), 0.0, 1)


def _query(path: str, **values: str) -> Call:
    return Call(f"{path}?{urlencode({name: value for name, value in values.items() if value})}")


class OpenAIBatches:
    """OpenAI's: a file of requests is uploaded, the results are files too; one for answers, one for errors."""

    labels = True
    most_requests = 50_000
    most_bytes = 200_000_000

    _LABEL = "bench"
    _ENDED = frozenset({"failed", "completed", "expired", "cancelled"})

    def line(self, custom_id: str, call: Call) -> bytes:
        """The request as a line of the file."""
        head = {"custom_id": custom_id, "method": "POST", "url": _versioned(call.path)}
        return json.dumps(head).encode()[:-1] + b',"body":' + (call.body or b"{}") + b"}"

    def upload(self, lines: Sequence[bytes]) -> Call | None:
        """The file, as a form."""
        file = ("requests.jsonl", b"\n".join(lines), "application/jsonl")
        body, kind = encode_multipart_formdata({"purpose": "batch", "file": file})
        return Call("/files", body, "POST", {"Content-Type": kind})

    def create(self, lines: Sequence[bytes], path: str, uploaded: str, label: str) -> Call:
        """A batch of the file; the label is in its metadata."""
        asked = {"input_file_id": uploaded, "endpoint": _versioned(path), "completion_window": "24h"}
        return wire.call("/batches", {**asked, "metadata": {self._LABEL: label}})

    def get(self, batch_id: str) -> Call:
        """One batch."""
        return Call(f"/batches/{batch_id}")

    def list(self, after: str) -> Call:
        """A page of batches."""
        return _query("/batches", limit="100", after=after)

    def state(self, batch: Mapping[str, Any]) -> State:
        """The object `batch`. One that expired or was cancelled has the results that it came to."""
        status, counts = batch.get("status"), wire.table(batch.get("request_counts"))
        files = (batch.get("output_file_id"), batch.get("error_file_id"))
        errors = wire.table(batch.get("errors")).get("data")
        first = wire.table(errors[0]) if isinstance(errors, list) and errors else {}
        why = f"{wire.text(first.get('code')) or 'batch_failed'}: {attempts.cut(wire.text(first.get('message')))}"
        return State(
            id=identity(batch),
            ended=status in self._ENDED,
            done=(wire.count(counts.get("completed")) or 0) + (wire.count(counts.get("failed")) or 0),
            total=wire.count(counts.get("total")) or 0,
            paths=tuple(f"/files/{file}/content" for file in files if isinstance(file, str) and file),
            failure=why if status == "failed" else "",
            created=float(wire.count(batch.get("created_at")) or 0),
            label=wire.text(wire.table(batch.get("metadata")).get(self._LABEL)),
        )

    def result(self, line: Mapping[str, Any]) -> Result:
        """A line of either file: a response with its status, or an error such as `batch_expired`."""
        custom_id, response = identity(line, "custom_id"), wire.table(line.get("response"))
        status = wire.count(response.get("status_code"))
        if status:
            return Result(custom_id, _reply(status, response.get("body")))
        code = wire.text(wire.table(line.get("error")).get("code"))
        return Result(custom_id, None, code or "no_response")


def _versioned(path: str) -> str:
    """The path with the version before it: the base URL ends in it, and a batch wants it whole."""
    return f"/v1/{path.lstrip('/')}"


class AnthropicBatches:
    """Anthropic's: the requests are in the call that makes the batch, and the results in one file."""

    labels = False
    most_requests = 100_000
    most_bytes = 256_000_000

    _PATH = "/messages/batches"

    def line(self, custom_id: str, call: Call) -> bytes:
        """The request as a member of the list."""
        return json.dumps({"custom_id": custom_id}).encode()[:-1] + b',"params":' + (call.body or b"{}") + b"}"

    def upload(self, lines: Sequence[bytes]) -> Call | None:
        """Nothing."""
        return None

    def create(self, lines: Sequence[bytes], path: str, uploaded: str, label: str) -> Call:
        """A batch; it takes no label."""
        return Call(self._PATH, b'{"requests":[' + b",".join(lines) + b"]}")

    def get(self, batch_id: str) -> Call:
        """One batch."""
        return Call(f"{self._PATH}/{batch_id}")

    def list(self, after: str) -> Call:
        """A page of batches."""
        return _query(self._PATH, limit="100", after_id=after)

    def state(self, batch: Mapping[str, Any]) -> State:
        """The object `message_batch`. It says where its results are by an address that a proxy need not know."""
        batch_id, counts = identity(batch), wire.table(batch.get("request_counts"))
        tally = {name: wire.count(number) or 0 for name, number in counts.items()}
        ended = batch.get("processing_status") == "ended"
        return State(
            id=batch_id,
            ended=ended,
            done=sum(number for name, number in tally.items() if name != "processing"),
            total=sum(tally.values()),
            paths=(f"{self._PATH}/{batch_id}/results",) if ended and batch.get("results_url") else (),
            created=_seconds(batch.get("created_at")),
        )

    def result(self, line: Mapping[str, Any]) -> Result:
        """A line: an answer, an error with its type, or `expired` or `canceled`."""
        custom_id, result = identity(line, "custom_id"), wire.table(line.get("result"))
        match result.get("type"):
            case "succeeded":
                return Result(custom_id, _reply(200, result.get("message")))
            case "errored":
                error = wire.table(result.get("error"))
                kind = wire.text(wire.table(error.get("error")).get("type"))
                return Result(custom_id, _reply(_STATUS_OF_TYPE.get(kind, 500), error))
            case kind:
                return Result(custom_id, None, f"batch_{wire.text(kind) or 'no_result'}")


def _seconds(moment: object) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp() if isinstance(moment, str) else 0.0
    except ValueError:
        return 0.0
