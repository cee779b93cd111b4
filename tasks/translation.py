"""Translation: each direction is a task of its own."""

from __future__ import annotations

from typing import Literal

import languages
from tasks.records import Prompt, Row, Sample, Task, Variety
from tasks.sources import Files

Direction = Literal["from-eng", "into-eng"]

NTREX = Files(
    dataset="ntrex128",
    repository="MicrosoftTranslator/NTREX",
    commit="8561f6a622db9edad1217683e5c83daefd8bb2bf",
    format="parallel",
    files={
        "test": {
            "english": "NTREX-128/newstest2019-src.eng.txt",
            "other": "NTREX-128/newstest2019-ref.{code}.txt",
            "document": "DOCUMENT_IDS.tsv",
        }
    },
    elsewhere={code: f"NTREX-additional/newstest2019-ref.{code}.txt" for code in ("gsw-BE", "gsw-ZH")},
)

NTREX_FLAWS = {"mya": "legacy_encoding"}
"""Burmese is in the Zawgyi encoding: 12 % of its signs are U+1039, which Unicode Burmese hardly uses."""

NTREX_CITATION = "Federmann, Kocmi and Xin (2022), NTREX-128: News Test References for MT Evaluation of 128 Languages"


def from_english(task: Task, variety: Variety, row: Row) -> Sample | None:
    """English in, the language out."""
    return _pair(task, variety, row, row.values["english"], row.values["other"])


def into_english(task: Task, variety: Variety, row: Row) -> Sample | None:
    """The language in, English out."""
    return _pair(task, variety, row, row.values["other"], row.values["english"])


def _pair(task: Task, variety: Variety, row: Row, source: str, target: str) -> Sample | None:
    if not source.strip() or not target.strip():
        return None  # a line that its translators left empty asks nothing
    return Sample(
        task=task.name,
        version=task.version,
        language=variety.language,
        variety=variety.variety,
        item=f"{row.values['line']:04d}",
        input=source,
        fields={"text": source},
        references=(target,),
        cluster=row.values["document"],
    )


def _translated() -> tuple[Variety, ...]:
    """Every language of NTREX but English, whose four files are edits of the source and no translations."""
    return tuple(
        Variety(known.language.code, known.variety, known.code, NTREX_FLAWS.get(known.code, ""))
        for known in languages.dataset_codes("ntrex128")
        if known.language.code != "eng_Latn"
    )


def _ntrex(direction: Direction) -> Task:
    outward = direction == "from-eng"
    ask = (
        "Translate this English text into {language} ({script} script). Write the translation and nothing else."
        if outward
        else "Translate this {language} text into English. Write the translation and nothing else."
    )
    return Task(
        name=f"ntrex-{direction}",
        version="1",
        title=f"NTREX-128, {'English into each language' if outward else 'each language into English'}",
        area="translation",
        kind="generation",
        source=NTREX,
        varieties=_translated(),
        sample=from_english if outward else into_english,
        prompt=Prompt(text=ask + "\n\n{text}", cue="Translation:"),
        metrics=("chrf++", "bleu"),
        origin="human-translated",
        licence="CC-BY-SA-4.0",
        citation=NTREX_CITATION,
        group="ntrex",
        suites=("breadth",),
        max_tokens=512,
        raw_input=True,
        notes="News of 2019, translated from English: only from-eng is the direction that the translators worked in.",
    )


TASKS = (_ntrex("from-eng"), _ntrex("into-eng"))
