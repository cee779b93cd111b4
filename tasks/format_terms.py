"""TICO-19's lists of terms: CSV in which some renderings have a comma that is not quoted, and some are several.

Source: https://github.com/tico-19/tico-19.github.io, `data/terminologies/f_en-*.csv`; Anastasopoulos et al. (2020).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks import formats
from tasks.records import DataError

ALTERNATIVES = "\t"
"""What parts the accepted renderings of one term, as `kernels.glossary` has it."""
_BETWEEN = re.compile(r"\s+[/|]\s*|\s*[/|]\s+")
"""A stroke with white space beside it parts two renderings; one inside a word ("and/or") belongs to it."""


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """One record a term, with the columns of the header.

    What stands after the last comma too many belongs to the last column, in which a tab parts several renderings.
    Raises `DataError`.
    """
    reader = csv.reader(io.StringIO(formats.text(path), newline=""), strict=True)
    try:
        header = next(reader, [])
        if len(header) < 2 or len(set(header)) != len(header):
            raise DataError(f"{path} should start with the names of its columns, each once; it has {', '.join(header)}")
        for values in reader:
            if len(values) < len(header):
                raise DataError(f"{path} line {reader.line_num}: {len(values)} columns, the header has {len(header)}")
            *first, last = [*values[: len(header) - 1], ",".join(values[len(header) - 1 :])]
            yield dict(zip(header, [*first, _BETWEEN.sub(ALTERNATIVES, last)], strict=True))
    except csv.Error as error:
        raise DataError(f"{path} line {reader.line_num}: {error}") from error
