"""The embedded suite: what CLDR knows of a language, asked back. A self-test and a floor, apart from the benchmarks."""

from __future__ import annotations

from tasks.embedded import CLDR_VERSION, Embedded, varieties
from tasks.records import Kind, Prompt, Row, Sample, Task, Variety


def cldr_sample(task: Task, variety: Variety, row: Row) -> Sample:
    """An item of the suite: a choice where it has options, else a text to write."""
    values = row.values
    options: tuple[str, ...] = values["options"]
    return Sample(
        task=task.name,
        version=task.version,
        language=variety.language,
        variety=variety.variety,
        item=values["item"],
        input=values["input"],
        fields=values["fields"],
        options=options,
        answer=options.index(values["answer"]) if options else None,
        references=() if options else (values["answer"],),
        cluster=values["cluster"],
    )


def _task(kind: Kind, name: str, title: str, question: str, *, four: bool = True, tokens: int = 16, notes: str) -> Task:
    """A declaration of the suite; `four` where a choice has four options in every language."""
    return Task(
        name=f"cldr-{name}",
        version=f"cldr{CLDR_VERSION}-1",
        title=title,
        area="locale",
        kind=kind,
        source=Embedded(kind=name, question=question),
        varieties=varieties(f"cldr-{name}"),
        sample=cldr_sample,
        prompt=Prompt(text=question),
        metrics=("accuracy",) if kind == "choice" else ("exact_match", "chrf++"),
        origin="native",
        licence="Unicode-3.0",
        citation=f"Unicode Common Locale Data Repository (CLDR), version {CLDR_VERSION}, https://cldr.unicode.org",
        group="cldr",
        suites=("embedded",),
        max_tokens=tokens,
        floor=True,
        chance=1 / 4 if kind == "choice" and four else None,
        notes=notes,
    )


TASKS = (
    _task(
        "choice",
        "territories",
        "CLDR names of territories",
        "Which of these is the {language} name, in the {script} script, of the territory that English calls {name}?",
        notes="Names equal to the English ones are left out.",
    ),
    _task(
        "choice",
        "languages",
        "CLDR names of languages",
        "Which of these is the {language} name, in the {script} script, of the language that English calls {name}?",
        notes="Names equal to the English ones are left out.",
    ),
    _task(
        "choice",
        "currencies",
        "CLDR names of currencies",
        "Which of these is the {language} name, in the {script} script, of the currency that English calls {name}?",
        notes="Currencies that are legal tender today. Names equal to the English ones are left out.",
    ),
    _task(
        "choice",
        "calendar",
        "CLDR months and weekdays",
        "This is about the Gregorian calendar in {language}, written in the {script} script. {question}",
        notes="Names that stand alone, not those inside a date. Items about one month or weekday share a cluster.",
    ),
    _task(
        "generation",
        "names-write",
        "Writing names of territories and languages",
        "Write the {language} name, in the {script} script, of the {kind} that English calls {name}. "
        "Write the name alone.",
        tokens=64,
        notes="Names equal to the English ones are left out. CLDR has one name; a good synonym scores on chrF++ alone.",
    ),
    _task(
        "generation",
        "dates",
        "Writing dates",
        "Write the date {date} (year-month-day, Gregorian calendar) in {language}, in the {script} script, as "
        "CLDR's long form has it (no weekday): by the language's own rules for the order of the parts, the form of the "
        "month and the digits. Write the date alone.",
        tokens=96,
        notes="The locale's long pattern, the month in the form that a date takes, the default digits.",
    ),
    _task(
        "generation",
        "numbers",
        "Writing numbers",
        "Write the number {number} (plain digits; a point before decimals) in numerals as {language} in the {script} "
        "script does: with the language's own digits, its grouping and its decimal sign. Write the number alone.",
        tokens=64,
        notes="Languages of whose numbers CLDR says nothing of their own are left out, even if root's rules suit them.",
    ),
    _task(
        "choice",
        "plurals",
        "CLDR plural categories",
        "By the Unicode CLDR rules for cardinals in {language} ({script} script), which plural category does "
        "{number} take, written exactly like that?",
        four=False,
        notes="The options are the language's categories; where only the number 1 is `one`, most answers are `other`.",
    ),
)
