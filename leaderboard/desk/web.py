"""The desk's pages: sending a run file in, the public queue, the log, and taking a submission back.

They stand apart from the pages of the board because they are never kept by anybody (`Cache-Control: no-store`): a form
belongs to one visitor, and a state changes at any moment. They know neither snapshots nor pages made beforehand.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request
from flask_babel import gettext as _
from flask_limiter import Limiter, RateLimitExceeded
from flask_wtf.csrf import generate_csrf
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Response as BaseResponse

from bench.records import UsageError
from leaderboard import asking, prefixes, twins
from leaderboard.desk import access, forms, guard, log, queue, review
from leaderboard.desk.access import Refusal, Scope, Token
from leaderboard.desk.forms import BadForm, Form, Upload
from leaderboard.desk.guard import Refused
from leaderboard.desk.records import REASONS, DeskError, Submission
from leaderboard.desk.store import DATABASE, UPLOADS, Desk
from leaderboard.problems import Missing
from leaderboard.site import Site

MOST_BYTES, CHECK = "BOARD_MAX_UPLOAD", "BOARD_CHECK"
"""Environment: the largest upload in bytes; `0` where something else than this server starts the checks."""
DEFAULT_BYTES = 512 << 20
LONGEST_FORM = 16 << 10
"""Bytes of a form without a file, and of any other body that nobody asked for."""
ROOM = 256 << 20
"""So much of the disk stays free whatever is sent."""
AT_ONCE = 2
"""Uploads that one process takes at a time, so that slow ones do not keep its threads from everybody else."""
TYPES = frozenset({"application/vnd.sqlite3", "application/x-sqlite3", "application/gzip", "application/octet-stream"})
STATUS = {"unknown": 401, "expired": 401, "revoked": 401, "scope": 403, "too_many": 429}
"""Why a token may not -> status."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def register(site: Site) -> None:
    """Puts the pages of the desk under their addresses. Raises `UsageError` for a setting that is none."""
    pages = _Pages(site, guard.init(site.app, site.folder))
    pages.register()
    pages.resume()


class _Pages:
    """The views of one board's desk."""

    def __init__(self, site: Site, limiter: Limiter) -> None:
        self.site = site
        self.board = site.folder
        self.limiter = limiter
        self.most = _bytes(os.environ.get(MOST_BYTES, ""))
        self.checks = os.environ.get(CHECK, "1") != "0"
        self.turns = threading.BoundedSemaphore(AT_ONCE)
        site.app.jinja_env.filters["file_of"] = queue.file_of
        site.app.config["MAX_CONTENT_LENGTH"] = LONGEST_FORM
        site.app.config["MAX_FORM_MEMORY_SIZE"] = LONGEST_FORM
        site.app.config["MAX_FORM_PARTS"] = forms.MOST_PARTS

    def register(self) -> None:
        """Every address with its view, its methods and its limits."""
        pages = Blueprint("desk", __name__)
        uploads_ = self.limiter.limit("10/minute", methods=["POST"])
        others = self.limiter.limit("30/minute", methods=["POST"])
        guesses = self.limiter.shared_limit("20/hour", "tokens", methods=["POST"], deduct_when=guard.failed)
        pages.add_url_rule("/submit", "form", self.form)
        pages.add_url_rule("/submit", "submit", uploads_(guesses(self.submit)), methods=["POST"])
        pages.add_url_rule("/submissions/", "queue", self.listing)
        pages.add_url_rule("/submissions.json", "queue_data", self.listing_data)
        pages.add_url_rule("/submissions/log.jsonl", "log", self.log)
        pages.add_url_rule("/submissions/<number>", "case", self.case)
        pages.add_url_rule("/submissions/<number>.json", "case_data", self.case_json)
        pages.add_url_rule("/submissions/<number>/withdraw", "leave", self.leave)
        pages.add_url_rule(
            "/submissions/<number>/withdraw", "withdraw", others(guesses(self.withdraw)), methods=["POST"]
        )
        pages.add_url_rule("/api/submissions", "api", uploads_(guesses(self.api)), methods=["POST"])
        pages.add_url_rule("/api/submissions/<number>", "api_case", self.api_case)
        pages.add_url_rule(
            "/api/submissions/<number>/withdraw", "api_withdraw", others(guesses(self.api_withdraw)), methods=["POST"]
        )
        pages.before_request(_before)
        pages.after_request(_apart)
        pages.register_error_handler(RateLimitExceeded, self._too_often)
        self.site.app.register_blueprint(pages)

    def resume(self) -> None:
        """Starts the check where uploads wait for one: whoever would have checked them may have been killed."""
        if not self.checks or not (self.board / DATABASE).is_file():
            return
        try:
            with Desk.open(self.board) as desk:
                counts = desk.counts()
        except DeskError as error:
            self.site.app.logger.warning("the desk cannot be read, so nothing is checked: %s", error)
        else:
            if counts["received"] or counts["checking"]:
                _check(self.board)

    # Pages

    def form(self) -> str:
        """How to submit, and the form."""
        return _render(
            "submit.html", page={"most": self.most}, path="/submit", twins={}, csrf=self._csrf(), reasons=REASONS
        )

    def listing(self) -> str:
        """The queue for reading."""
        asked = self._asked("state", "before")
        with self._desk() as desk:
            page = queue.queue(desk, asked)
        return self._page("submissions.html", page, asked.query(), asked)

    def listing_data(self) -> Response:
        """The queue as data."""
        with self._desk() as desk:
            return _json(queue.queue(desk, self._asked("state", "before")))

    def case(self, number: str) -> str:
        """One submission for reading."""
        page, asked = self._case(number), self._asked("watch")
        return self._page("submission.html", page, asked.query(), asked)

    def case_json(self, number: str) -> Response:
        """One submission as data."""
        return _json(self._case(number))

    def log(self) -> Response:
        """The whole log, from the first event on, as it is read."""
        with contextlib.ExitStack() as opened:
            desk = opened.enter_context(self._desk())
            answer = Response(log.export(desk), content_type="application/jsonl; charset=utf-8")
            answer.call_on_close(opened.pop_all().close)
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    def leave(self, number: str) -> str:
        """The form for taking a submission back."""
        return self._page("withdraw.html", self._case(number), csrf=self._csrf())

    # What changes something

    def submit(self) -> BaseResponse:
        """Takes in a form with a file, which must be its last field."""
        guard.same_site()
        if request.mimetype != "multipart/form-data":
            raise Refused(415, _("A submission is a form with a file (multipart/form-data)."))
        request.max_content_length = self.most + LONGEST_FORM
        form = Form(request.stream, request.mimetype_params.get("boundary", ""))
        with _telling_bad_forms():
            fields = form.fields()
        guard.csrf(fields.get(guard.FIELD))
        submission = self._receive(fields.get("token", "").strip(), form.file("file"))
        return redirect(f"{request.script_root}/submissions/{submission.id}", 303)

    def api(self) -> BaseResponse:
        """Takes in a body that is the file, with the token in its header and nowhere else."""
        guard.same_site()
        token = _bearer()
        if request.mimetype and request.mimetype not in TYPES:
            raise Refused(415, _("Send the run file as the body, as application/vnd.sqlite3 or application/gzip."))
        if request.headers.get("Content-Encoding", "gzip").lower() not in ("gzip", "identity"):
            raise Refused(415, _("Send the run file as it is, or packed with gzip."))
        if request.content_length is None and not request.environ.get("wsgi.input_terminated"):
            raise Refused(411, _("Say how long the file is (Content-Length)."))
        request.max_content_length = self.most
        submission = self._receive(token, forms.pieces(request.stream))
        answer = _told(submission)
        answer.status_code = 201
        answer.headers["Location"] = f"{request.script_root}/submissions/{submission.id}"
        return answer

    def api_case(self, number: str) -> Response:
        """What became of a submission, for a program that waits for it."""
        return _told(self._case(number).submission)

    def withdraw(self, number: str) -> BaseResponse:
        """Takes a submission back, by the form."""
        guard.same_site()
        guard.csrf(request.form.get(guard.FIELD))
        self._withdraw(number, request.form.get("token", "").strip())
        return redirect(f"{request.script_root}/submissions/{number}", 303)

    def api_withdraw(self, number: str) -> BaseResponse:
        """Takes a submission back, by the header."""
        guard.same_site()
        return _told(self._withdraw(number, _bearer()))

    def _receive(self, secret: str, content: Iterable[bytes]) -> Submission:
        """Whoever may not send anything is told so before any of the file is read."""
        with self._desk() as desk:
            token = _allowed(desk, secret, "submit")
            refused = access.allowance(desk, token)
            if refused is not None:
                raise _refused(refused)
            if (request.content_length or 0) > self.most + LONGEST_FORM:
                raise Refused(413, self._too_large())
            self._room(request.content_length or 0)
            if not self.turns.acquire(blocking=False):
                raise Refused(503, _("Others are sending files at the moment. Try again in half a minute."), 30)
            try:
                with _telling_bad_forms(), forms.stored(self.board / UPLOADS, self._limited(content)) as upload:
                    if not upload.size:
                        raise Refused(400, _("The file is empty."))
                    submission = self._taken(desk, upload, token)
            except OSError as error:
                raise self._unwritable(error) from error
            finally:
                self.turns.release()
        if self.checks:
            _check(self.board)
        return submission

    @staticmethod
    def _taken(desk: Desk, upload: Upload, token: Token) -> Submission:
        try:
            return desk.receive(upload.path, upload.size, upload.sha256, token)
        except access.Refused as error:
            raise _refused(error.refusal) from error

    def _limited(self, content: Iterable[bytes]) -> Iterator[bytes]:
        size = 0
        for piece in content:
            size += len(piece)
            if size > self.most:
                raise Refused(413, self._too_large())
            yield piece

    def _too_large(self) -> str:
        said: str = _("The file is larger than this board takes: at most %(most)s bytes.", most=f"{self.most:,}")
        return said

    def _room(self, size: int) -> None:
        if shutil.disk_usage(self.board).free < size + ROOM:
            raise self._unwritable(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    def _unwritable(self, error: Exception) -> Refused:
        self.site.app.logger.error("an upload could not be stored: %s", error)
        if (isinstance(error, OSError) and error.errno in _NO_ROOM) or "no room" in str(error):
            return Refused(507, _("The board has no room for more files now. Send it again tomorrow."), 86_400)
        return Refused(503, _("The board cannot take submissions at the moment. Try again in a minute."), 60)

    def _withdraw(self, number: str, secret: str) -> Submission:
        with self._desk() as desk:
            token = _allowed(desk, secret, "withdraw")
            found = self._case(number)
            own = desk.token_of(number) == token.id
        if not own:
            raise Refused(403, _("Only its sender may withdraw a submission."))
        if found.submission.state == "checking":
            raise Refused(409, _("It is being checked. Withdraw it when that is done."), 60)
        if not found.withdrawable:
            raise Refused(409, _("It has been decided on already."))
        try:
            return review.withdraw(self.board, number, token)
        except UsageError as error:  # it went on in between
            raise Refused(409, _("It has been decided on already.")) from error
        except DeskError as error:
            raise self._unwritable(error) from error

    # Helps

    @contextlib.contextmanager
    def _desk(self) -> Iterator[Desk]:
        try:
            with Desk.open(self.board) as desk:
                yield desk
        except (DeskError, UsageError, sqlite3.Error) as error:
            raise self._unwritable(error) from error

    def _case(self, number: str) -> queue.Case:
        with self._desk() as desk:
            found = queue.case(desk, number)
        if found is None:
            raise Missing(_("There is no submission of that name."))
        return found

    def _csrf(self) -> str:
        if not self.site.app.secret_key:
            raise self._unwritable(OSError(errno.EROFS, "the board's folder is read-only"))
        made: str = generate_csrf()
        return made

    @staticmethod
    def _asked(*known: str) -> asking.Asked:
        return asking.asked(request.args, known, request.query_string)

    @staticmethod
    def _page(template: str, page: object, query: str = "", asked: asking.Asked | None = None, **more: object) -> str:
        path = request.path
        beside = {"json": f"{path.rstrip('/')}.json{query}"} if asked is not None else {}
        return _render(
            template,
            page=page,
            path=path,
            query=query,
            asked=asked,
            twins=beside,
            names=queue.STATE_NAMES,
            following=queue.NEXT,
            reasons=REASONS,
            **more,
        )

    def _too_often(self, _error: RateLimitExceeded) -> BaseResponse:
        wait = int(self.limiter.current_limit.reset_at - time.time()) + 1 if self.limiter.current_limit else 60
        message = _("That was too often in a short time. Try again in %(seconds)s seconds.", seconds=f"{wait:,}")
        return self.site.app.make_response(self.site.app.handle_http_exception(Refused(429, message, wait)))


def _render(template: str, **words: object) -> str:
    return render_template(template, **words)


def _before() -> BaseResponse | None:
    """A submission belongs to no snapshot: its address has none."""
    prefix = prefixes.current()
    if prefix.snapshot and request.method in ("GET", "HEAD"):
        return redirect(f"{prefix.at(snapshot='')}{request.path}", 302)
    return None


def _apart(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _bytes(setting: str) -> int:
    if not setting:
        return DEFAULT_BYTES
    if not (setting.isascii() and setting.isdigit() and 0 < len(setting) < 16):
        raise UsageError(f"{MOST_BYTES} is {setting!r}; it is a number of bytes, {DEFAULT_BYTES} where it is not set")
    return int(setting)


def _bearer() -> str:
    """The token of the request's header."""
    kind, _space, secret = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        raise Refused(401, _("Send a token in the header, as Authorization: Bearer bench_..."))
    return secret.strip()


def _allowed(desk: Desk, secret: str, scope: Scope) -> Token:
    found = access.check(desk, secret, scope)
    if isinstance(found, Refusal):
        raise _refused(found)
    return found


def _refused(why: Refusal) -> Refused:
    return Refused(STATUS[why.reason], why.words, why.retry_after)


@contextlib.contextmanager
def _telling_bad_forms() -> Iterator[None]:
    try:
        yield
    except BadForm as error:
        message = _("The form did not arrive whole, or is not the one of this page: the file has to come last.")
        raise Refused(400, message) from error
    except ClientDisconnected as error:
        raise Refused(400, _("The file did not arrive whole. Send it again.")) from error


def _json(record: Any) -> Response:
    answer = Response(twins.to_json(record), content_type="application/json")
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


def _told(submission: Submission) -> Response:
    """A submission in the words of the interface for programs."""
    found = asdict(submission)
    told = {name: found[name] for name in ("id", "state", "reason", "detail")}
    return jsonify(told | {"address": f"{request.script_root}/submissions/{submission.id}"})


def _check(board: Path) -> None:
    """Starts the check in a process of its own, which ends when nothing is left; a second one at once ends at once."""
    command = [sys.executable, "-m", "leaderboard.desk.intake", str(board.resolve())]
    process = subprocess.Popen(  # noqa: S603 - every word is ours
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    threading.Thread(target=process.wait, daemon=True).start()  # else it stays in the table of processes
