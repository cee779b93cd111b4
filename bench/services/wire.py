"""What the JSON of every service has in common: reading it, counts that may be anything, and what is wrong. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from bench import reasoning
from bench.backend import TOO_LONG
from bench.records import Finish, Request, Response
from bench.services.calls import Call, Reply, Unusable

FILTERED = "filtered"
"""Why a request with continuations is skipped that the service's content policy refuses."""
NO_CONTEXT = "no_context_token"
"""Why a request is skipped whose prompt has nothing that a continuation could come after."""
NOT_UNICODE = "not_unicode"
"""Why a request is skipped whose text has half a character in it, which UTF-8 cannot hold."""
AGAIN = "asked_again"
"""The reason of a response that only says: ask the same request once more. Nobody keeps it."""
OTHER_MODEL = "other_model"
"""The reason of a response in whose place another model answered; nobody keeps it."""

_HALVES = re.compile("[\ud800-\udfff]")
_MOST_COUNT = 2**53
_ENDS: Mapping[str, Finish] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence", "pause_turn"), "stop"),
    **dict.fromkeys(("tool_calls", "function_call", "tool_use"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_length", "model_length", "model_context_window_exceeded"), "length"),
    **dict.fromkeys(("content_filter", "content-filter", "refusal", "safety"), "filter"),
}

_LONG = re.compile(
    r"context[_ ]length[_ ]exceeded|exceed_context_size|maximum context length|maximum model length|max_model_len"
    r"|exceeds? (?:the )?(?:available |model'?s )?context|exceed context (?:limit|window)|string_above_max_length"
    r"|(?:prompt|input|request) is too long|must have less than \d+ tokens|`inputs` tokens \+ `max_new_tokens`"
    r"|too many (?:input |prompt )?tokens|request_too_large",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile(
    r"content_filter|content_policy|content management policy|responsibleaipolicyviolation|invalid_prompt|moderation"
    r"|data_inspection_failed|content exists risk|blocked by content filtering",
    re.IGNORECASE,
)
_CUT = re.compile(r"could not finish the message because max_tokens", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a service says is wrong: its `codes`, the parameter that it names, and the message."""

    codes: str
    parameter: str
    message: str

    def means(self) -> Literal["too_long", "filter", "length", ""]:
        """What it says about the prompt; "" where it is about something else."""
        said = f"{self.codes} {self.message}"
        # First: the sentence about max_tokens is about an answer that was under way.
        if _CUT.search(said):
            return "length"
        if _LONG.search(said):
            return "too_long"
        return "filter" if _FORBIDDEN.search(said) else ""


def call(path: str, body: Mapping[str, Any]) -> Call:
    """A POST of JSON."""
    return Call(path, msgspec.json.encode(body))


def decoded(body: bytes) -> dict[str, Any]:
    """The object in a body. Raises `Unusable`."""
    try:
        parsed = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        # Half a character, NaN and numbers of any length are nothing that JSON should have, and some servers send them.
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, an endless number, too deep
            raise Unusable("not_json") from error
    if not isinstance(parsed, dict):
        raise Unusable("no_object")
    return parsed


def table(value: object) -> dict[str, Any]:
    """An object where JSON has one; else nothing."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """Text that UTF-8 can hold, half characters replaced by U+FFFD; "" for anything else."""
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else _HALVES.sub("\ufffd", value)


def count(value: object) -> int | None:
    """A number of tokens; None for what is none."""
    return value if type(value) is int and 0 <= value < _MOST_COUNT else None


def finish(word: object) -> Finish:
    """Why an answer ended, in our words; "" where the service does not say, or says it in words of its own."""
    return _ENDS.get(word.lower(), "") if isinstance(word, str) else ""


def complaint(body: bytes) -> Complaint:
    """What is wrong, by the body of an error: OpenAI's and Anthropic's form, FastAPI's, or plain text."""
    try:
        whole = decoded(body)
    except Unusable:
        return Complaint("", "", body[:1000].decode(errors="replace"))
    inner = whole.get("error")
    told = inner if isinstance(inner, dict) else whole
    message = next((one for one in (told.get("message"), inner, told.get("detail")) if isinstance(one, str)), "")
    # FastAPI lists what it could not read; its "input" is our own prompt, whose words mean nothing here.
    detail = told.get("detail")
    listed = detail if isinstance(detail, list) else []
    details = [f"{table(one).get('msg')} {table(one).get('loc')}" for one in listed]
    upstream = table(told.get("metadata")).get("raw")
    codes = (told.get("code"), told.get("type"), told.get("error_type"), table(told.get("innererror")).get("code"))
    return Complaint(
        " ".join(text(code) for code in codes if isinstance(code, str)),
        text(told.get("param")),
        " ".join(filter(None, [text(message), *map(text, details), text(upstream)])),
    )


def meant(request: Request, reply: Reply) -> Response | None:
    """What an error says about this request's prompt: too long, forbidden, or no room to answer; None for the rest."""
    means = complaint(reply.body).means()
    answer = Response(request.id, "ok", seconds=reply.seconds, attempts=reply.attempts)
    if means == "too_long":
        return replace(answer, status="skipped", reason=TOO_LONG)
    if means == "filter" and request.continuations:
        return replace(answer, status="skipped", reason=FILTERED)
    return replace(answer, finish=means) if means and not request.continuations else None


class Served:
    """The name under which a service answers, and the other one if it changed since."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.other = ""

    def changed(self, reply: Mapping[str, Any]) -> bool:
        """Notes another name in a reply. A reply without one says nothing."""
        name = text(reply.get("model"))
        if not name or name == self.name:
            return False
        self.other = name
        return True


def misread(request: Request, reply: Reply, whole: Mapping[str, Any], served: Served) -> Response | None:
    """A response where a reply with status 200 is an error in truth, or another model's. Raises `Unusable`."""
    if whole.get("error"):
        if response := meant(request, reply):
            return response
        raise Unusable("error_in_reply")
    if served.changed(whole):
        return Response(request.id, "error", reason=OTHER_MODEL)
    return None


def answered(request: Request, said: str, ended: Finish, thought: str, measured: Mapping[str, Any]) -> Response:
    """A generated answer, cut before the first stop string, as the service should have done.

    Thinking that the service did not set apart is told from the answer by its marks.
    """
    for stop in request.stop:
        if stop and stop in said:
            said, ended = said[: said.index(stop)], "stop"
    if not thought:
        thought, said = reasoning.apart(said)
    return Response(request.id, "ok", text=said, reasoning=thought, finish=ended, **measured)
