"""The texts that the language identifier is built from and tested on, out of a mirror of the datasets."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from .datasets import dataset_codes
from .identification import IdentifierError

Texts = dict[str, list[str]]
"""Segments by canonical code."""

COMMITS = {
    "udhr": "f93dd614154c47fc4b85ec03d8d6f1abe97869ef",
    "sib200": "593cea88519930f776c1a4a1980b6a35b39dca57",
    "ntrex128": "8561f6a622db9edad1217683e5c83daefd8bb2bf",
}
OTHER_TEXT = {
    "nso": "by its text Southern Sotho (sot) in South African spelling, not Northern Sotho",
}
"""Codes of NTREX-128 whose file is in another language than the code names: left out of the test."""


def read_sib200(data: Path, splits: Iterable[str], read: dict[str, str]) -> Texts:
    """The sentences of SIB-200 by language; adds the SHA-256 of each file to `read`."""
    texts: Texts = defaultdict(list)
    for known in dataset_codes("sib200"):
        for split in splits:
            lines = _read(data, f"sib200/data/annotated/{known.code}/{split}.tsv", read).split("\n")
            column = lines[0].rstrip("\r").split("\t").index("text")
            texts[known.language.code] += [line.split("\t")[column].strip() for line in lines[1:] if line]
    return texts


def read_udhr(data: Path, read: dict[str, str]) -> Texts:
    """The titles and paragraphs of UDHR by language; adds the SHA-256 of each file to `read`."""
    texts: Texts = defaultdict(list)
    for known in dataset_codes("udhr"):
        root = ET.fromstring(_read(data, f"udhr/udhr_{known.code}.xml", read).encode())  # noqa: S314 - pinned files
        parts = ("".join(part.itertext()).strip() for part in root.iter() if part.tag.endswith(("}para", "}title")))
        texts[known.language.code] += [part for part in parts if part]
    return texts


def read_ntrex(data: Path, read: dict[str, str]) -> Texts:
    """The segments of NTREX-128 by language, all its varieties and references together."""
    texts: Texts = defaultdict(list)
    for known in dataset_codes("ntrex128"):
        if known.code in OTHER_TEXT:
            continue
        names = (
            f"NTREX-128/newstest2019-ref.{known.code}.txt",
            f"NTREX-128/newstest2019-ref-2.{known.code}.txt",
            f"NTREX-128/newstest2019-src.{known.code}.txt",
            f"NTREX-additional/newstest2019-ref.{known.code}.txt",
        )
        for name in names:
            if (data / "ntrex128" / name).is_file():
                lines = _read(data, f"ntrex128/{name}", read).split("\n")
                texts[known.language.code] += [line.strip() for line in lines if line.strip()]
    return texts


def _read(data: Path, name: str, read: dict[str, str]) -> str:
    try:
        raw = (data / name).read_bytes()
        text = raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise IdentifierError(f"{data / name} cannot be read: --data must name the mirror of the datasets") from error
    read[name] = hashlib.sha256(raw).hexdigest()
    return text
