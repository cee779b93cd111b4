"""Templates over a row: "{column}", nested columns with dots ("{prompts.0.text}"), and what is known of the row.

`{line}` is its number in its file (from 1), `{file}` the file's name without its ending, `{code}` what the dataset
calls the language, `{@code}` the column that is called so (`{@code_text}` with an ending), `{config}` and `{split}`
what the hub calls them. A column of the dataset's own with such a name goes first. `{line:04}` pads with zeros,
`{document:^/}` ends before the first stroke, and `{premise:#}` is the text's hash: a name for what several rows share,
where the text itself may not leave the data.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.records import DataError, Row, Variety

_PLACE = re.compile(r"\{([^{}:]+)(?::(0\d+|#|\^[^{}]))?\}")


def fill(template: str, row: Row, variety: Variety) -> str:
    """The template with the row's values in it; a null is an empty text. Raises `DataError` for a missing column."""

    def value(match: re.Match[str]) -> str:
        found = text(lookup(match[1], row, variety))
        if match[2] == "#":
            return hashlib.sha256(found.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        if match[2] and match[2][0] == "^":
            return found.partition(match[2][1])[0]
        return found.zfill(int(match[2])) if match[2] else found

    return _PLACE.sub(value, template)


def text(value: Any) -> str:
    """A value as text: nothing for None, `true` and `false` as JSON has them."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def lookup(path: str, row: Row, variety: Variety) -> Any:
    """The value at a path of names. Raises `DataError` where there is none."""
    if path.startswith("@code"):
        path = variety.code + path.removeprefix("@code")
    if path in row.values:
        return row.values[path]
    if path == "code":
        return variety.code
    value: Any = row.values
    for name in path.split("."):
        value = _decoded(value)
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, Sequence) and not isinstance(value, str) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            known = " ".join(", ".join(str(name) for name in row.values).split()) or "none"
            raise DataError(f"{row.where}: no column {path!r}; there are {known[:300]}")
    return value


def _decoded(value: Any) -> Any:
    """The object or list that a text on the way is JSON of; any other value as it is."""
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def places(template: str) -> int:
    """How many places a template has that a row fills."""
    return len(_PLACE.findall(template))
