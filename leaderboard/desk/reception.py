"""Taking submissions in and back: who may, how large a file, how many at a time, and how much of the disk stays free.

Whoever may not is told why (`problems.Refused`) before any of the file is read.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from flask import request
from flask_babel import gettext as _
from werkzeug.exceptions import ClientDisconnected

from bench.records import UsageError
from leaderboard.desk import access, forms, queue, review
from leaderboard.desk.access import Refusal, Scope, Token
from leaderboard.desk.forms import BadForm, Upload
from leaderboard.desk.records import DeskError, Submission
from leaderboard.desk.store import DATABASE, UPLOADS, Desk
from leaderboard.problems import Missing, Refused

MOST_BYTES, CHECK = "BOARD_MAX_UPLOAD", "BOARD_CHECK"
"""Environment: the largest upload in bytes; `0` where something else than this server starts the checks."""
DEFAULT_BYTES = 512 << 20
LONGEST_FORM = 16 << 10
"""Bytes of a form without a file, and of any other body that nobody asked for."""
ROOM = 256 << 20
"""So much of the disk stays free whatever is sent."""
AT_ONCE = 2
"""Uploads that one process takes at a time, so that slow ones do not keep its threads from everybody else."""
STATUS = {"unknown": 401, "expired": 401, "revoked": 401, "scope": 403, "too_many": 429}
"""Why a token may not -> status."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Reception:
    """One board's desk as its visitors meet it. Raises `UsageError` for a setting that is none."""

    def __init__(self, board: Path, logger: logging.Logger, *, checks: bool = True) -> None:
        self.most = _bytes(os.environ.get(MOST_BYTES, ""))
        self._board = board
        self._logger = logger
        self._checks = checks and os.environ.get(CHECK, "1") != "0"
        self._told = ""
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def resume(self) -> None:
        """Starts the check where uploads wait for one: whoever would have checked them may have been killed."""
        if not self._checks or not (self._board / DATABASE).is_file():
            return
        try:
            with Desk.open(self._board) as desk:
                counts = desk.counts()
        except DeskError as error:
            self._tell(str(error))
        else:
            if counts["received"] or counts["checking"]:
                _check(self._board)

    @contextlib.contextmanager
    def desk(self) -> Iterator[Desk]:
        """The open desk. Raises `Refused` where it cannot be read or written."""
        try:
            with Desk.open(self._board) as desk:
                self._told = ""
                yield desk
        except (DeskError, UsageError, sqlite3.Error) as error:
            raise self.unwritable(error) from error

    def case(self, number: str) -> queue.Case:
        """One submission with its events. Raises `Missing` where there is none of that name."""
        with self.desk() as desk:
            found = queue.case(desk, number)
        if found is None:
            raise Missing(_("There is no submission of that name."))
        return found

    def receive(self, secret: str, content: Iterable[bytes]) -> Submission:
        """Takes in a file and has it checked. Raises `Refused`: for a token that may not, before any of it is read."""
        with self.desk() as desk:
            token = _allowed(desk, secret, "submit")
            refused = access.allowance(desk, token)
            if refused is not None:
                raise _refused(refused)
            if (request.content_length or 0) > self.most + LONGEST_FORM:
                raise Refused(413, self._too_large())
            self._room(request.content_length or 0)
            if not self._turns.acquire(blocking=False):
                raise Refused(503, _("Others are sending files at the moment. Try again in half a minute."), 30)
            try:
                with telling_bad_forms(), forms.stored(self._board / UPLOADS, self._limited(content)) as upload:
                    if not upload.size:
                        raise Refused(400, _("The file is empty."))
                    submission = self._taken(desk, upload, token)
            except OSError as error:
                raise self.unwritable(error) from error
            finally:
                self._turns.release()
        if self._checks:
            _check(self._board)
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
        if shutil.disk_usage(self._board).free < size + ROOM:
            raise self.unwritable(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    def unwritable(self, error: Exception) -> Refused:
        """What a visitor is told where the desk cannot be read or its folder written; the log says more."""
        known = isinstance(error, DeskError | UsageError)
        why = isinstance(error, OSError) and error.strerror
        self._tell(str(error) if known else f"the desk of {self._board} cannot take an upload: {why or error}")
        if (isinstance(error, OSError) and error.errno in _NO_ROOM) or "no room" in str(error):
            return Refused(507, _("The board has no room for more files now. Send it again tomorrow."), 86_400)
        return Refused(503, _("The board cannot take submissions at the moment. Try again in a minute."), 60)

    def _tell(self, what: str) -> None:
        """Logs what keeps the desk from its work, once until it works again and not for each visitor."""
        if what != self._told:
            self._logger.error("%s", what)
        self._told = what

    def withdraw(self, number: str, secret: str) -> Submission:
        """Takes a submission back for whoever sent it. Raises `Refused`, and `Missing` as `case` does."""
        with self.desk() as desk:
            token = _allowed(desk, secret, "withdraw")
            found = self.case(number)
            own = desk.token_of(number) == token.id
        if not own:
            raise Refused(403, _("Only its sender may withdraw a submission."))
        if found.submission.state == "checking":
            raise Refused(409, _("It is being checked. Withdraw it when that is done."), 60)
        if not found.withdrawable:
            raise Refused(409, _("It has been decided on already."))
        try:
            return review.withdraw(self._board, number, token)
        except UsageError as error:  # it went on in between
            raise Refused(409, _("It has been decided on already.")) from error
        except DeskError as error:
            raise self.unwritable(error) from error


def _bytes(setting: str) -> int:
    if not setting:
        return DEFAULT_BYTES
    if not (setting.isascii() and setting.isdigit() and 0 < len(setting) < 16):
        raise UsageError(f"{MOST_BYTES} is {setting!r}; it is a number of bytes, {DEFAULT_BYTES} where it is not set")
    return int(setting)


def _allowed(desk: Desk, secret: str, scope: Scope) -> Token:
    found = access.check(desk, secret, scope)
    if isinstance(found, Refusal):
        raise _refused(found)
    return found


def _refused(why: Refusal) -> Refused:
    return Refused(STATUS[why.reason], why.words, why.retry_after)


@contextlib.contextmanager
def telling_bad_forms() -> Iterator[None]:
    """Says to the visitor what is wrong with a body that does not arrive as it should."""
    try:
        yield
    except BadForm as error:
        message = _("The form did not arrive whole, or is not the one of this page: the file has to come last.")
        raise Refused(400, message) from error
    except ClientDisconnected as error:
        raise Refused(400, _("The file did not arrive whole. Send it again.")) from error


def _check(board: Path) -> None:
    """Starts the check in a process of its own, which ends when nothing is left; a second one at once ends at once."""
    command = [sys.executable, "-m", "leaderboard.desk.intake", str(board.resolve())]
    process = subprocess.Popen(  # noqa: S603 - every word is ours
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    threading.Thread(target=process.wait, daemon=True).start()  # else it stays in the table of processes
