"""The desk's pages: sending a run file in, the public queue, the log, and taking a submission back.

They stand apart from the pages of the board because they are never kept by anybody (`Cache-Control: no-store`): a form
belongs to one visitor, and a state changes at any moment. They know neither snapshots nor pages made beforehand.
"""

from __future__ import annotations

import contextlib
import errno
import time
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request
from flask_babel import gettext as _
from flask_limiter import Limiter, RateLimitExceeded
from flask_wtf.csrf import generate_csrf
from werkzeug.wrappers import Response as BaseResponse

from leaderboard import asking, prefixes, twins
from leaderboard.desk import forms, guard, log, queue
from leaderboard.desk.forms import Form
from leaderboard.desk.reception import LONGEST_FORM, Reception, telling_bad_forms
from leaderboard.desk.records import REASONS, Submission
from leaderboard.problems import Refused
from leaderboard.site import Site

TYPES = frozenset({"application/vnd.sqlite3", "application/x-sqlite3", "application/gzip", "application/octet-stream"})
"""What a run file may be sent as."""


def register(site: Site) -> None:
    """Puts the pages of the desk under their addresses. Raises `UsageError` for a setting that is none."""
    pages = _Pages(site, guard.init(site.app, site.folder))
    pages.register()
    pages.reception.resume()


class _Pages:
    """The views of one board's desk."""

    def __init__(self, site: Site, limiter: Limiter) -> None:
        self.site = site
        self.limiter = limiter
        self.reception = Reception(site.folder, site.app.logger, checks=site.app.config["CHECKS"])
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

    # Pages

    def form(self) -> str:
        """How to submit, and the form."""
        page = {"most": self.reception.most}
        return render_template("submit.html", page=page, path="/submit", twins={}, csrf=self._csrf(), reasons=REASONS)

    def listing(self) -> str:
        """The queue for reading."""
        asked = self._asked("state", "before")
        with self.reception.desk() as desk:
            page = queue.queue(desk, asked)
        return self._page("submissions.html", page, asked.query(), asked)

    def listing_data(self) -> Response:
        """The queue as data."""
        with self.reception.desk() as desk:
            return _json(queue.queue(desk, self._asked("state", "before")))

    def case(self, number: str) -> str:
        """One submission for reading."""
        page, asked = self.reception.case(number), self._asked("watch")
        return self._page("submission.html", page, asked.query(), asked)

    def case_json(self, number: str) -> Response:
        """One submission as data."""
        return _json(self.reception.case(number))

    def log(self) -> Response:
        """The whole log, from the first event on, as it is read."""
        with contextlib.ExitStack() as opened:
            desk = opened.enter_context(self.reception.desk())
            answer = Response(log.export(desk), content_type="application/jsonl; charset=utf-8")
            answer.call_on_close(opened.pop_all().close)
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    def leave(self, number: str) -> str:
        """The form for taking a submission back."""
        return self._page("withdraw.html", self.reception.case(number), csrf=self._csrf())

    # What changes something

    def submit(self) -> BaseResponse:
        """Takes in a form with a file, which must be its last field."""
        guard.same_site()
        if request.mimetype != "multipart/form-data":
            raise Refused(415, _("A submission is a form with a file (multipart/form-data)."))
        request.max_content_length = self.reception.most + LONGEST_FORM
        form = Form(request.stream, request.mimetype_params.get("boundary", ""))
        with telling_bad_forms():
            fields = form.fields()
        guard.csrf(fields.get(guard.FIELD))
        submission = self.reception.receive(fields.get("token", "").strip(), form.file("file"))
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
        request.max_content_length = self.reception.most
        submission = self.reception.receive(token, forms.pieces(request.stream, request.content_length))
        answer = _told(submission)
        answer.status_code = 201
        answer.headers["Location"] = f"{request.script_root}/submissions/{submission.id}"
        return answer

    def api_case(self, number: str) -> Response:
        """What became of a submission, for a program that waits for it."""
        return _told(self.reception.case(number).submission)

    def withdraw(self, number: str) -> BaseResponse:
        """Takes a submission back, by the form."""
        guard.same_site()
        guard.csrf(request.form.get(guard.FIELD))
        self.reception.withdraw(number, request.form.get("token", "").strip())
        return redirect(f"{request.script_root}/submissions/{number}", 303)

    def api_withdraw(self, number: str) -> BaseResponse:
        """Takes a submission back, by the header."""
        guard.same_site()
        return _told(self.reception.withdraw(number, _bearer()))

    # Helps

    def _csrf(self) -> str:
        if not self.site.app.secret_key:
            raise self.reception.unwritable(OSError(errno.EROFS, "the board's folder is read-only"))
        made: str = generate_csrf()
        return made

    @staticmethod
    def _asked(*known: str) -> asking.Asked:
        return asking.asked(request.args, known, request.query_string)

    @staticmethod
    def _page(template: str, page: object, query: str = "", asked: asking.Asked | None = None, **more: object) -> str:
        path = request.path
        beside = {"json": f"{path.rstrip('/')}.json{query}"} if asked is not None else {}
        return render_template(
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


def _before() -> BaseResponse | None:
    """A submission belongs to no snapshot: its address has none."""
    prefix = prefixes.current()
    if prefix.snapshot and request.method in ("GET", "HEAD"):
        return redirect(f"{prefix.at(snapshot='')}{request.path}", 302)
    return None


def _apart(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _bearer() -> str:
    """The token of the request's header."""
    kind, _space, secret = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        raise Refused(401, _("Send a token in the header, as Authorization: Bearer bench_..."))
    return secret.strip()


def _json(record: Any) -> Response:
    answer = Response(twins.to_json(record), content_type="application/json")
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


def _told(submission: Submission) -> Response:
    """A submission in the words of the interface for programs."""
    found = asdict(submission)
    told = {name: found[name] for name in ("id", "state", "reason", "detail")}
    return jsonify(told | {"address": f"{request.script_root}/submissions/{submission.id}"})
