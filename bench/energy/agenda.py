"""What an energy measurement asks: the run's own questions, English beside them, and controls of a fixed length."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from bench.backend import Model, ModelStopped, Tokenizing
from bench.energy.measuring import Agenda
from bench.energy.mixed import subject_of
from bench.energy.options import Options
from bench.energy.records import PROMPT_ONLY, Subject
from bench.energy.schedule import schedule, seconds_needed
from bench.plan import Block
from bench.premium import texts
from bench.records import Request, UsageError
from tasks.records import by_hash

ENGLISH = "eng_Latn"
QUESTIONS = 2
"""So many times the concurrency are asked at most of one subject: a batch is never of a few questions, and each of them
is answered in every window."""
FEWEST_SHARED = 0.5
"""Languages are asked the same items where at least this share of the smallest of them is shared."""

Asked = Iterable[tuple[Block, Sequence[Request]]]


def with_english(blocks: Sequence[Block]) -> list[Block]:
    """The English block of every task that has English and was not told to run it: the sentinel, and what LER needs."""
    there = {(block.task.name, block.variety.language) for block in blocks}
    more: list[Block] = []
    for block in {block.task.name: block for block in blocks}.values():
        if (block.task.name, ENGLISH) in there:
            continue
        for variety in block.task.varieties:
            if variety.language == ENGLISH and not variety.flaw:
                more.append(replace(block, variety=variety))
                break
    return more


def expected(blocks: Sequence[Block], model: Model, options: Options) -> tuple[int, float]:
    """How many windows measuring these blocks takes, and about how many seconds."""
    every = [*blocks, *with_english(blocks)]
    subjects = [Subject(block.task.name, block.variety.language, block.variety.variety) for block in every]
    controlled = options.control and model.capabilities.exact and isinstance(model, Tokenizing)
    control = list(dict.fromkeys(replace(subject, task="") for subject in subjects)) if controlled else []
    control += [replace(subject, mode=PROMPT_ONLY) for subject in control if subject.language == ENGLISH]
    sentinel = next((subject for subject in subjects if subject.language == ENGLISH), subjects[0])
    slots = schedule(subjects, sentinel, control, options, [])
    return len(slots), seconds_needed(slots, options)


def agenda(
    planned: Callable[[], Asked],
    english: Callable[[], Asked],
    usable: Callable[[Sequence[str]], set[str]],
    model: Model,
    options: Options,
) -> Agenda | None:
    """What is measured; None where nothing of the plan had an answer.

    `planned` was asked already, and `usable` says which of its requests had an answer. Both are gone through twice, so
    that no more requests are held than are asked.
    """
    asked: dict[Subject, list[str]] = {}
    datasets: set[str] = set()
    for block, made in planned():
        datasets.add(block.task.source.dataset)
        answered = usable([one.id for one in made])
        if items := [item for item, one in _items(block, made) if one.id in answered]:
            asked.setdefault(_subject(block, made), items)
    if not asked:
        return None
    beside = {_subject(block, made): [item for item, _ in _items(block, made)] for block, made in english() if made}
    every = {**{subject: items for subject, items in beside.items() if items}, **asked}
    shared = _shared(every)
    most = QUESTIONS * options.concurrency
    wanted = {subject: by_hash(shared.get(subject, items), str)[:most] for subject, items in every.items()}
    chosen = _chosen(itertools.chain(english(), planned()), wanted)
    sentinel = next((subject for subject in (*asked, *every) if subject.language == ENGLISH), next(iter(asked)))
    return Agenda(chosen, sentinel, _controls(model, list(asked), chosen, datasets, options))


def _subject(block: Block, made: Sequence[Request]) -> Subject:
    return subject_of(made[0], block.task.version)


def _items(block: Block, made: Sequence[Request]) -> Iterator[tuple[str, Request]]:
    """Each request with the name of its item, which is the same in parallel languages; of repeats the first."""
    names = {sample.id: sample.item for sample in block.samples}
    return ((names[one.sample], one) for one in made if one.repeat == 0)


def _chosen(asked: Asked, wanted: Mapping[Subject, Sequence[str]]) -> dict[Subject, list[Request]]:
    """The requests for the wanted items, in their order."""
    found: dict[Subject, dict[str, Request]] = {}
    for block, made in asked:
        if made and (items := wanted.get(_subject(block, made))):
            some = frozenset(items)
            kept = {item: one for item, one in _items(block, made) if item in some}
            found.setdefault(_subject(block, made), {}).update(kept)
    return {subject: [found[subject][item] for item in items] for subject, items in wanted.items()}


def _shared(every: Mapping[Subject, Sequence[str]]) -> dict[Subject, list[str]]:
    """The items that a subject shares with English asked in the same way, where there are enough of them."""
    groups: dict[Subject, list[Subject]] = {}
    for subject in every:
        groups.setdefault(replace(subject, language="", variety=""), []).append(subject)
    found: dict[Subject, list[str]] = {}
    for group in groups.values():
        if any(subject.language == ENGLISH for subject in group):
            common = set.intersection(*(set(every[subject]) for subject in group))
            if len(common) >= max(1.0, FEWEST_SHARED * min(len(every[subject]) for subject in group)):
                found |= {subject: sorted(common) for subject in group}
    return found


def _controls(
    model: Model,
    asked: Sequence[Subject],
    chosen: Mapping[Subject, Sequence[Request]],
    datasets: Collection[str],
    options: Options,
) -> dict[Subject, list[Request]]:
    """Prompts and answers of the same number of tokens in every language: what is left then is not the tokenizer's.

    None where the model cannot be made to write so many tokens, or there are no texts of the languages here.
    """
    if not options.control or not model.capabilities.exact or not isinstance(model, Tokenizing):
        return {}
    made: dict[Subject, list[Request]] = {}
    pattern = next(iter(chosen.values()))[0]
    for subject in dict.fromkeys((*(one for one in chosen if one.language == ENGLISH), *asked)):
        control = Subject("", subject.language, subject.variety, "generate")
        if control in made:
            continue
        try:
            prompts = _passages(model, _sentences(subject, {one.language for one in asked}, datasets), options)
        except (UsageError, ModelStopped):  # a control is no reason to end a run: the report says that there is none
            continue
        if prompts:
            made[control] = _exactly(pattern, control, prompts, options.control_tokens)
            if subject.language == ENGLISH:
                # The same prompts with answers of one token: what is left of their energy is the prompt's.
                short = replace(control, mode=PROMPT_ONLY)
                made[short] = _exactly(pattern, short, prompts, 1)
    return made if len({subject.language for subject in made}) > 1 else {}


def _exactly(pattern: Request, control: Subject, prompts: Sequence[str], max_tokens: int) -> list[Request]:
    """A request for each prompt whose answer has just so many tokens."""
    return [
        replace(
            pattern,
            id=f"control/{control.language}/{control.variety}/{max_tokens}/{number}",
            language=control.language,
            variety=control.variety,
            mode="generate",
            prompt=prompt,
            continuations=(),
            options=(),
            max_tokens=max_tokens,
            stop=(),
            input=prompt,
            exact=True,
        )
        for number, prompt in enumerate(prompts)
    ]


def _passages(model: Tokenizing, sentences: Sequence[str], options: Options) -> list[str]:
    """Texts of just so many tokens, from consecutive sentences; none where there are no sentences."""
    wanted = options.control_tokens
    passages: list[str] = []
    at = 0
    while at < len(sentences) and len(passages) < QUESTIONS * options.concurrency:
        # Tokens of a sentence are a handful at least.
        some = " ".join(sentences[at : at + 1 + wanted // 4])
        text = model.shortened(some, wanted)
        [count] = model.count_tokens([text])
        if abs(count - wanted) <= max(3, wanted // 50):
            passages.append(text)
        at += max(1, len(sentences) // (QUESTIONS * options.concurrency))
    return passages


def _sentences(subject: Subject, asked: Collection[str], datasets: Collection[str]) -> list[str]:
    """Texts of a language from the first corpus here that has it; English ones stand beside any language's."""
    for corpus in texts.at_hand(datasets):
        mine = [one for one in corpus.varieties if (one.language, one.variety) == (subject.language, subject.variety)]
        if subject.language == ENGLISH:
            # A mirror may hold some languages only: those of the run are the likeliest.
            likely = [one for one in corpus.varieties if one.language in asked]
            mine = [*likely, *corpus.varieties[:1]]
        for variety in mine:
            with contextlib.suppress(UsageError):  # its data are not here
                pairs = corpus.pairs(variety)
                if subject.language == ENGLISH:
                    return pairs.english
                if not variety.flaw:
                    return pairs.texts
    return []
