"""Which requests a run consists of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import languages
from bench.backend import Capabilities
from bench.prompting import Asker, Asking, request
from bench.records import Mode, Request, UsageError
from bench.watch import Watch, unwatched
from tasks import prompts, store
from tasks.records import DataError, Repository, Sample, Task, Variety, by_hash, question_of

KEPT = 50_000
"""Samples that stay in memory, some 100 MB; the blocks of a longer plan are read again when they are needed."""


@dataclass(frozen=True, slots=True)
class Content:
    """The samples of a block in their order, and what solved examples are taken from, where any are wanted."""

    samples: tuple[Sample, ...]
    examples: tuple[Sample, ...] = ()


class Shelf:
    """Keeps the first blocks that are read, as many as fit, and the latest one."""

    def __init__(self) -> None:
        self._kept: dict[Block, Content] = {}
        self._size = 0
        self._latest: tuple[Block | None, Content] = (None, Content(()))

    def content(self, block: Block) -> Content:
        """What a block holds, from memory or from its files. Raises `UsageError` where data are missing or changed."""
        if block in self._kept:
            return self._kept[block]
        if block != self._latest[0]:
            self._latest = (block, _read(block))
        content = self._latest[1]
        if self._size + len(content.samples) <= KEPT:
            self._kept[block] = content
            self._size += len(content.samples)
        return content


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One task in one language: `limit` of its samples, and as many examples as `shots`. Read when it is looked at."""

    task: Task
    variety: Variety
    limit: int | None = None
    shots: int = 0
    shelf: Shelf = field(default_factory=Shelf, repr=False)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """What is asked, in order."""
        return self.shelf.content(self).samples

    @property
    def examples(self) -> tuple[Sample, ...]:
        """What solved examples are taken from."""
        return self.shelf.content(self).examples


def _read(block: Block) -> Content:
    task, variety = block.task, block.variety
    try:
        every = list(task.samples(variety))
        samples = draw(every, block.limit)
        examples = solved(task, variety, block.shots, every) if samples else ()
    except DataError as error:
        raise UsageError(f"{task.name} {variety.language}: {error}") from error
    if task.held_out and not samples:
        raise UsageError(f"{task.name} {variety.language}: held_out = {task.held_out} leaves no item to ask")
    return Content(samples, examples)


@dataclass(frozen=True, slots=True)
class Style:
    """How a run asks: in which language its prompts are, after how many solved examples, and how often.

    Only answers that are generated are asked for more than once: a probability comes out the same.
    """

    prompt_language: str = "english"
    shots: int = 0
    repeats: int = 1


ENGLISH = Style()
"""English prompts and no examples: how a run asks unless told."""


def choose_languages(chosen: Sequence[Task], names: Iterable[str]) -> list[tuple[Task, Variety]]:
    """The (task, language) pairs to run: all languages, or those named. A name may carry a variety, `por_Latn-BR`.

    Raises `UsageError` for an unknown language, and for one that none of the tasks has.
    """
    every = [(task, variety) for task in chosen for variety in task.varieties]
    wanted = list(names)
    if not wanted:
        return every
    kept: dict[int, None] = {}
    for name in wanted:
        found = [index for index, (_, variety) in enumerate(every) if _means(name, variety)]
        if not found:
            found = _by_language(name, every, chosen)
        kept.update(dict.fromkeys(found))
    return [every[index] for index in sorted(kept)]


def _means(name: str, variety: Variety) -> bool:
    spellings = (f"{variety.language}-{variety.variety}", variety.code, f"{_bcp47(variety.language)}-{variety.variety}")
    return bool(variety.variety) and name.casefold().replace("_", "-") in {
        spelling.casefold().replace("_", "-") for spelling in spellings
    }


def _bcp47(code: str) -> str:
    return languages.get(code).bcp47


def _by_language(name: str, every: Sequence[tuple[Task, Variety]], chosen: Sequence[Task]) -> list[int]:
    try:
        language = languages.get(name)
    except languages.LanguageError as error:
        raise UsageError(str(error)) from error
    code, _, region = name.rpartition("-")
    if code.casefold() == language.code.casefold():
        raise UsageError(f"no chosen task has the variety {region!r} of {language.name} ({language.code})")
    found = [index for index, (_, variety) in enumerate(every) if variety.language == language.code]
    if not found:
        asked = ", ".join(task.name for task in chosen[:4]) + (", ..." if len(chosen) > 4 else "")
        raise UsageError(
            f"{asked} has no {language.name} ({language.code}); see `python -m bench list tasks --json` for languages"
        )
    return found


def available(pairs: Iterable[tuple[Task, Variety]]) -> tuple[list[tuple[Task, Variety]], list[str]]:
    """The pairs whose dataset has a folder in the data folder, and the names of the datasets that have none.

    Without a data folder everything counts as there: what is missing is downloaded.
    """
    mirror = store.mirror()
    kept, missing = [], set()
    for task, variety in pairs:
        source = task.source
        outside = isinstance(source, Repository) and bool(source.repository)
        if outside and mirror and not (mirror / source.dataset).is_dir():
            missing.add(source.dataset)
        else:
            kept.append((task, variety))
    return kept, sorted(missing)


def load(
    pairs: Sequence[tuple[Task, Variety]],
    limit: int | None,
    watch: Watch = unwatched,
    *,
    limits: Mapping[str, int] = MappingProxyType({}),
    shots: int = 0,
) -> list[Block]:
    """The blocks, a draw of `limit` of each task and language; `limits` are those of single tasks.

    All are read once, so that what is missing or changed is told at once. Raises `UsageError`.
    """
    blocks, shelf = [], Shelf()
    with watch("reading data", len(pairs)) as progress:
        for done, (task, variety) in enumerate(pairs, start=1):
            block = Block(task, variety, limit or limits.get(task.name), shots, shelf)
            if block.samples:
                blocks.append(block)
            progress(done)
    return blocks


def solved(task: Task, variety: Variety, shots: int, scored: Iterable[Sample]) -> tuple[Sample, ...]:
    """So many examples from the split that is not scored, the same for every model; none where there is no such split.

    A question of that split that is scored too, as some datasets have it, is no example. Raises `DataError`.
    """
    if not shots or "train" not in task.splits or task.kind == "rules":
        return ()
    known = {question_of(sample) for sample in scored}
    train = [sample for sample in task.samples(variety, "train") if question_of(sample) not in known]
    return tuple(by_hash(train, lambda sample: sample.item)[:shots])


def draw(samples: Sequence[Sample], limit: int | None) -> tuple[Sample, ...]:
    """`limit` of the samples, in their order; all of them without a limit.

    Not the first ones: datasets come sorted by topic or document. Drawn by the hash of the item, so that parallel
    languages get the same items, and a larger limit keeps those of a smaller one.
    """
    if limit is None or limit >= len(samples):
        return tuple(samples)
    order = by_hash(range(len(samples)), lambda index: samples[index].item)
    return tuple(samples[index] for index in sorted(order[:limit]))


class CannotAnswer(Exception):
    """A model cannot be asked a task. The message ends the sentence "the model leaves it out: ..."."""


def answer_mode(task: Task, capabilities: Capabilities, asked: Mode | None) -> Mode:
    """The mode in which a model answers a task. Raises `CannotAnswer`."""
    if task.kind == "choice" and not capabilities.choices and not capabilities.raw:
        raise CannotAnswer(f"it cannot answer multiple choice, which {task.name} is")
    if capabilities.raw and not capabilities.choices and not task.raw_input:
        raise CannotAnswer(f"it reads bare input, and {task.name} cannot be asked without a prompt")
    if task.kind != "choice":
        return "generate"
    if asked and asked not in capabilities.modes:
        raise CannotAnswer(f"it cannot answer in mode {asked}; it has {', '.join(capabilities.modes)}")
    return asked or capabilities.modes[0]


def requests(
    blocks: Iterable[Block],
    capabilities: Capabilities,
    asker: Asker,
    asked: Mode | None,
    style: Style = ENGLISH,
    left_out: MutableMapping[str, str] | None = None,
) -> Iterator[tuple[Block, list[Request]]]:
    """The requests for one model in plan order, block by block, and repeat by repeat.

    `left_out` is told of the tasks that the model cannot be asked, with the reason.
    """
    for block in blocks:
        try:
            mode = answer_mode(block.task, capabilities, asked)
            asking = _asking(block, style)
        except CannotAnswer as reason:
            if left_out is not None:
                left_out[block.task.name] = str(reason)
        else:
            for repeat in range(style.repeats if mode == "generate" else 1):
                yield block, [request(block.task, sample, mode, asker, asking, repeat) for sample in block.samples]


def _asking(block: Block, style: Style) -> Asking:
    task = block.task
    if len(block.examples) < style.shots:
        if task.kind == "rules":
            raise CannotAnswer(f"{style.shots} examples are asked for, and a rule has no answer that could be shown")
        has = f"has {len(block.examples)}" if block.examples else "has no split to take examples from"
        raise CannotAnswer(f"{style.shots} examples are asked for, and {task.name} {has}")
    prompt = prompts.choose(task, block.variety.language, style.prompt_language)
    return Asking(prompt, block.examples[: style.shots])
