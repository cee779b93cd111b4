"""Reading the registry's own tables."""

from __future__ import annotations

import unicodedata
from pathlib import Path

FOLDER = Path(__file__).parent


def read_table(name: str) -> list[dict[str, str]]:
    """All rows of one of the tab-separated tables beside this file, which quote nothing.

    Split by hand: `csv` takes four times as long, and every command waits for these 5,000 lines.
    """
    header, *lines = (FOLDER / name).read_text("utf-8").removesuffix("\n").split("\n")
    names = header.split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines]


def normalise(text: str) -> str:
    """The form in which codes and names are compared: NFC, no case, hyphens for underscores, single spaces."""
    # Case folding can undo NFC (and NFC can bring case back), so it is applied on both sides.
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return " ".join(folded.replace("_", "-").split())


def quoted(text: str, limit: int = 40) -> str:
    """The text for an error message: one short line in which nothing invisible is left."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
