"""Parallel corpora: a language's sentences beside the English ones, by the declarations of the translation tasks.

Only what a count needs is read: no samples are made, since those take ten times as long.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import languages
import tasks
from bench.plan import choose_languages
from bench.records import UsageError
from tasks import store, template
from tasks.hub import Hub
from tasks.recipe import Recipe
from tasks.records import DataError, Row, Split, Task, Variety
from tasks.selection import Selection
from tasks.suggest import did_you_mean

ENGLISH = "eng_Latn"


@dataclass(frozen=True, slots=True)
class _Declared:
    task: str
    splits: tuple[Split, ...] = ("test",)


_DECLARED: Mapping[str, _Declared] = MappingProxyType(
    {
        "ntrex": _Declared("ntrex-from-eng"),
        "flores200": _Declared("flores200-from-eng", ("train", "test")),  # both, as Petrov et al. (2023) count
        "flores": _Declared("flores-from-eng"),  # some languages have no other split
        "tico19": _Declared("tico19-from-eng"),
        "udhr": _Declared("udhr-from-eng"),
    }
)
CORPORA: Mapping[str, str] = MappingProxyType({name: one.task for name, one in _DECLARED.items()})
"""What a corpus is called -> the task whose data are read."""


_COLUMN = re.compile(r"\{(@?\w+)\}")


@dataclass(slots=True)
class Pairs:
    """Sentences of one language: `texts[i]` translates `english[i]`; sentences of one cluster are from one document.

    Pairs of which a side is empty were dropped.
    """

    english: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)
    dropped: int = 0

    def add(self, english: str, text: str, cluster: str) -> None:
        """One more pair, or one more that was dropped."""
        if not english.strip() or not text.strip():
            self.dropped += 1
            return
        self.english.append(english)
        self.texts.append(text)
        self.clusters.append(cluster)


@dataclass(frozen=True)
class Corpus:
    """A parallel corpus. `varieties` are its languages, those included that are English but not the source itself."""

    name: str
    task: Task
    splits: tuple[Split, ...]

    @property
    def varieties(self) -> tuple[Variety, ...]:
        """The languages, in the declaration's order."""
        return self.task.varieties

    def chosen(self, names: Iterable[str]) -> tuple[Variety, ...]:
        """The languages of these names, all where there are none. Raises `UsageError`."""
        return tuple(variety for _, variety in choose_languages((self.task,), names))

    def pairs(self, variety: Variety) -> Pairs:
        """The sentences of one language. Raises `UsageError` where the data are absent or not what they should be."""
        pairs = Pairs()
        try:
            for split in self.splits:
                for number, (english, text, cluster) in enumerate(_rows(self.task, variety, split), start=1):
                    pairs.add(english, text, cluster or f"{split}-{number}")
        except DataError as error:
            raise UsageError(f"corpus {self.name}: {error}") from error
        return pairs

    def revision(self, varieties: Iterable[Variety]) -> str:
        """The hash of the files that these languages are read from. Raises `UsageError`."""
        whole: dict[str, str] = {}
        try:
            for variety in varieties:
                for split in self.splits:
                    whole.update(self.task.source.fingerprint(variety, split))
        except DataError as error:
            raise UsageError(f"corpus {self.name}: {error}") from error
        lines = "".join(f"{path}\0{digest}\n" for path, digest in sorted(whole.items()))
        return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()[:16]}"


def corpus(name: str) -> Corpus:
    """The corpus of that name. Raises `UsageError`. Its data are not looked at yet."""
    declared = _DECLARED.get(name)
    if declared is None:
        raise UsageError(f"no corpus {name!r}{did_you_mean(name, _DECLARED)}; there are {', '.join(_DECLARED)}")
    task = tasks.get(declared.task)
    return Corpus(name, task.with_varieties((*task.varieties, *_kinds_of_english(task))), declared.splits)


def _kinds_of_english(task: Task) -> Iterator[Variety]:
    """English that is not the source, which a translation task leaves out: edits of it for Great Britain, say."""
    known = {variety.code for variety in task.varieties}
    for one in languages.dataset_codes(task.source.dataset) if languages.has_dataset(task.source.dataset) else ():
        if one.language.code == ENGLISH and one.variety and one.code not in known:
            yield Variety(ENGLISH, one.variety, one.code)


def _rows(task: Task, variety: Variety, split: Split) -> Iterator[tuple[str, str, str]]:
    """(English, text, document) of each row; the document is "" where nothing is known of it. Raises `DataError`."""
    recipe = task.sample
    assert isinstance(recipe, Recipe)
    assert isinstance(recipe.references, tuple)
    english, text = recipe.fields["text"], recipe.references[0]
    assert isinstance(english, str)
    fast = None if recipe.cluster else _columns(task, variety, split, english, text)
    if fast is not None:
        yield from fast
        return
    wanted = [_filling(one, variety) for one in (english, text, recipe.cluster)]
    for row in task.source.rows(variety, split):
        own, other, document = (fill(row) for fill in wanted)
        yield own, other, document


def _filling(given: str, variety: Variety) -> Callable[[Row], str]:
    """Fills a template; one that is a column and nothing else at a tenth of the price."""
    place = _COLUMN.fullmatch(given)
    name = place[1] if place else ""

    def fill(row: Row) -> str:
        found = row.values.get(name)
        return found if isinstance(found, str) else template.fill(given, row, variety)

    return fill


def _columns(
    task: Task, variety: Variety, split: Split, english: str, text: str
) -> Iterator[tuple[str, str, str]] | None:
    """Two columns of a Parquet file that has one for each language: whole rows of it would be read for each of them."""
    import pyarrow as pa
    from pyarrow import parquet

    source, places = task.source, [_COLUMN.fullmatch(one) for one in (english, text)]
    if not isinstance(source, Hub) or source.join or source.selection != Selection() or not all(places):
        return None
    names = [place[1].replace("@code", variety.code) for place in places if place]
    paths = source.paths(variety, split)
    if any(not path.endswith(".parquet") for path in paths):
        return None
    found = []
    for path in paths:
        try:
            with parquet.ParquetFile(source.fetch(path).path) as file:
                missing = [name for name in names if name not in file.schema_arrow.names]
                if missing:
                    raise DataError(f"{source.dataset}/{path}: no column {missing[0]!r}")
                table = file.read(columns=names)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{source.dataset}/{path} cannot be read: {' '.join(str(error).split())[:160]}") from error
        found.append([table.column(name).to_pylist() for name in names])
    return ((one or "", other or "", "") for ones, others in found for one, other in zip(ones, others, strict=True))


def at_hand(datasets: Collection[str]) -> Iterator[Corpus]:
    """The corpora that need no download: those of the data folder, or without one those of these datasets."""
    mirror = store.mirror()
    for name, task in CORPORA.items():
        dataset = tasks.get(task).source.dataset
        if (mirror / dataset).is_dir() if mirror else dataset in datasets:
            yield corpus(name)
