"""Rules whose obedience a program can check, asked of every language: nothing less than 100 % will do.

The prompt states each rule in full, so that obeying needs no guess; what it takes to know the language is asked by the
other suites. The checkers are `bench.rules`. No-break, narrow and plain spaces count alike, and so do texts with and
without invisible bidirectional marks.
"""

from __future__ import annotations

from tasks.embedded import CLDR_VERSION
from tasks.records import Prompt, Row, Sample, Task, Variety
from tasks.rule_items import Rules, everywhere, varieties


def rule_sample(task: Task, variety: Variety, row: Row) -> Sample:
    """A request and the rules that its answer has to obey."""
    fields: dict[str, str] = row.values["fields"]
    return Sample(
        task=task.name,
        version=task.version,
        language=variety.language,
        variety=variety.variety,
        item=row.values["item"],
        input=next(iter(fields.values())),
        fields=fields,
        references=(row.values["rules"],),
    )


def _task(kind: str, title: str, question: str, *, cldr: bool, tokens: int, notes: str) -> Task:
    """A declaration of the suite; `free` where the answer is running text in the language."""
    return Task(
        name=f"rules-{kind}",
        version=f"cldr{CLDR_VERSION}-1" if cldr else "1",
        title=title,
        area="rules",
        kind="rules",
        source=Rules(kind=kind, question=question),
        varieties=varieties(f"rules-{kind}") if cldr else everywhere(),
        sample=rule_sample,
        prompt=Prompt(text=question, cue=""),
        metrics=("obeyed",),
        origin="generated",
        licence="Unicode-3.0" if cldr else "Apache-2.0",
        citation=f"Unicode Common Locale Data Repository (CLDR), version {CLDR_VERSION}, https://cldr.unicode.org"
        if cldr
        else "The requests are this project's own",
        group="rules",
        suites=("rules",),
        max_tokens=tokens,
        chance=0.0,
        answer_language="own",
        language_rule=kind == "language",
        notes=notes,
    )


_WRITE = "Write the {what} alone, on one line, and nothing else."

TASKS = (
    _task(
        "language",
        "Answering in the language and script asked for",
        "{request} Answer only in {language}, in the {script} script, and in no other language.",
        cldr=False,
        tokens=512,
        notes="Violated where the script is wrong or another language is identified. Where the identifier cannot tell "
        "the language, only the script and English are held against an answer: then no bound is given and none ranked.",
    ),
    _task(
        "dates",
        "Dates by a pattern of CLDR",
        "Write this date in {language}, in the {script} script: {parts}. Follow this CLDR pattern exactly: {pattern}"
        "\n\nIn the pattern d is the day and dd the day in two digits; M or L is the month's number, MM or LL that "
        "number in two digits, and three or four of these letters the month's name; y is the year, yy its last two "
        "digits, and G the era. Everything else stands in the date as it stands in the pattern, without single quotes. "
        "Write every digit with one of these, from zero to nine: {digits}. " + _WRITE.format(what="date"),
        cldr=True,
        tokens=96,
        notes="The long and the short pattern, the month's name in the form that a date takes, the default digits.",
    ),
    _task(
        "numbers",
        "Numbers by the signs of CLDR",
        "Write the number {number} (plain digits; a point before decimals) as {language} in the {script} script does. "
        "Digits from zero to nine: {digits}. Decimal sign: {decimal}. Sign between groups of digits: {group}. Groups "
        "before the decimal sign: {grouping}. There are no groups after it. " + _WRITE.format(what="number"),
        cldr=True,
        tokens=64,
        notes="Languages of whose numbers CLDR says nothing of their own are left out.",
    ),
    _task(
        "currency",
        "Amounts by the currency pattern of CLDR",
        "Write an amount of {amount} {currency} (plain digits; a point before decimals) as {language} in the {script} "
        "script does. Follow this CLDR pattern exactly: {pattern}\n\nIn the pattern ¤ is the currency's sign, {sign}, "
        "and the rest, from the first # to the last 0, is the amount, always with two decimals. Digits: 0123456789. "
        "Decimal sign: {decimal}. Sign between groups of digits: {group}. Groups before the decimal sign: {grouping}. "
        + _WRITE.format(what="amount"),
        cldr=True,
        tokens=64,
        notes="The standard pattern. Languages whose default digits are not ASCII are left out: Babel carries the "
        "patterns of ASCII digits alone.",
    ),
    _task(
        "lists",
        "Lists by the pattern of CLDR",
        "Join these words of {language} ({script} script) into one list:\n\n{elements}\n\nFollow this pattern exactly, "
        "with the words in place of the letters and everything between them as it stands here:\n\n{pattern}\n\n"
        + _WRITE.format(what="list"),
        cldr=True,
        tokens=192,
        notes="Two to four elements by the standard list pattern; pairs alone where CLDR has no more of its own.",
    ),
    _task(
        "digits",
        "Answering with native digits",
        "{request} Answer in {language}, in the {script} script. Write every number in digits, and every digit with "
        "one of these: {digits}. The answer has at least one digit, and none that is not among these.",
        cldr=True,
        tokens=256,
        notes="Whether the sums are right is not asked. The digits of the locale's default numbering system, or of its "
        "native one where the default is ASCII.",
    ),
    _task(
        "length",
        "Answers of a given length",
        "Write something about {topic} in {language}, in the {script} script. {rule}",
        cldr=False,
        tokens=512,
        notes="Words by Unicode's rule (UAX #29); every character of a script without spaces is one. Characters are "
        "grapheme clusters.",
    ),
    _task(
        "words",
        "Required and forbidden words",
        "{request} Write in {language}, in the {script} script. {rule}",
        cldr=True,
        tokens=512,
        notes="Months, weekdays and territories by their CLDR names. Case and Unicode composition do not count.",
    ),
    _task(
        "format",
        "Answers of a given form",
        "Write something about {topic} in {language}, in the {script} script. {rule}",
        cldr=False,
        tokens=512,
        notes="The form, and the language as far as it can be told; of a JSON object that of its values. That no Latin "
        "letter is used is asked of languages in other scripts alone.",
    ),
)
