"""What a check finds and what it is told before: what passes between its process and who started that."""

from __future__ import annotations

from dataclasses import dataclass

from leaderboard.records import Badge

UPLOAD, LIMITS, HELD = "upload", "limits.json", "held.json"
"""Files in the folder of a check that it reads: the upload, its limits, and run -> `Held`."""
VERDICT, FINGERPRINT = "verdict.json", "fingerprint.json"
"""Files that it writes."""
RUN, COPY = "upload.run.db", "rescored.run.db"
"""The run file of the upload, unpacked, and the copy that is scored anew."""


@dataclass(frozen=True, slots=True)
class Held:
    """What has a run already: the id of a submission or of the run itself, in words, and its badge.

    Only a higher badge makes the same run worth taking; what waits for a moderator has the highest.
    """

    id: str
    words: str
    badge: Badge


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the check found. With a `reason` the upload is rejected; else the rest says what it holds.

    `duplicate_of` names what the board has of the same: a submission, a run, or a model by its slug.
    """

    reason: str
    detail: str
    model: str = ""
    revision: str = ""
    run: str = ""
    badge: Badge = "self_reported"
    cells: int = 0
    languages: int = 0
    tasks: int = 0
    duplicate_of: str = ""
