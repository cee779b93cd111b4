"""Topic and sentiment of a text."""

from __future__ import annotations

import languages
from tasks.records import DataError, Prompt, Row, Sample, Task, Variety
from tasks.sources import Files

SIB200 = Files(
    dataset="sib200",
    repository="dadelani/sib-200",
    commit="593cea88519930f776c1a4a1980b6a35b39dca57",
    format="tsv",
    columns=("index_id", "category", "text"),
    files={
        "test": {"*": "data/annotated/{code}/test.tsv"},
        "train": {"*": "data/annotated/{code}/train.tsv"},
    },
)

TOPICS = ("science/technology", "travel", "politics", "sports", "health", "entertainment", "geography")


def sib200_sample(task: Task, variety: Variety, row: Row) -> Sample:
    """A sentence and the seven topics, always in the order of the paper."""
    topic, text = row.values["category"], row.values["text"]
    if topic not in TOPICS:
        raise DataError(f"{row.where}: unknown topic {topic!r}; known are {', '.join(TOPICS)}")
    return Sample(
        task=task.name,
        version=task.version,
        language=variety.language,
        variety=variety.variety,
        item=row.values["index_id"],
        input=text,
        fields={"text": text},
        options=TOPICS,
        answer=TOPICS.index(topic),
    )


TASKS = (
    Task(
        name="sib200",
        version="1",
        title="SIB-200 topic classification",
        area="topic",
        kind="choice",
        source=SIB200,
        varieties=tuple(
            Variety(known.language.code, known.variety, known.code) for known in languages.dataset_codes("sib200")
        ),
        sample=sib200_sample,
        prompt=Prompt(
            text="What is this {language} text about: " + ", ".join(TOPICS[:-1]) + " or " + TOPICS[-1] + "?\n\n{text}",
            cue="Topic:",
        ),
        metrics=("accuracy",),
        origin="human-translated",
        licence="CC-BY-SA-4.0",
        citation="Adelani et al. (2024), SIB-200: A Simple, Inclusive, and Big Evaluation Dataset for Topic "
        "Classification in 200+ Languages and Dialects",
        suites=("breadth",),
        max_tokens=16,
        chance=1 / len(TOPICS),
        notes="The sentences are FLORES-200's: not independent of any other FLORES task.",
    ),
)
