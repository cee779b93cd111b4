"""LawBench's multiple choice: a JSON list whose questions hold their options ("stem?A:one;B:two;C:three;D:four。").

Source: https://github.com/open-compass/LawBench, `data/zero_shot/1-2.json` and `3-6.json`; Fei et al. (2023), LawBench.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks import formats
from tasks.records import DataError

_QUESTION = re.compile(r"(.+?)A:(.+);B:(.+);C:(.+);D:(.+?)。?", re.DOTALL)
_MARK = re.compile(r"[A-D]:")
_ANSWER = re.compile(r"正确答案[:：]([A-D])。?")


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """One record a question: `question` without its options, `options` (four) and `answer` (a letter).

    Upstream's instruction, which asks for an answer format of its own, is left out. Raises `DataError`.
    """
    for number, record in enumerate(formats.read("json", path), start=1):
        text, gold = str(record.get("question")), str(record.get("answer"))
        asked, right = _QUESTION.fullmatch(text), _ANSWER.fullmatch(gold)
        if not asked or len(_MARK.findall(text)) != 4:
            raise DataError(f"{path} record {number}: the question should end in A:...;B:...;C:...;D:...")
        if not right:
            raise DataError(f"{path} record {number}: the answer is {gold[:40]!r}; it should be 正确答案：A。")
        stem, *options = (part.strip() for part in asked.groups())
        yield {"question": stem, "options": options, "answer": right[1]}
