"""Rows from files in the upstream's layout, and every way in which a file can be wrong."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

import tasks
from tasks import lock
from tasks.formats import read_lines
from tasks.lock import Entry
from tasks.recipe import Gold, Recipe
from tasks.records import DataError, Prompt, Row, Sample, Task, Variety
from tasks.sources import Files

PAIRS = Files(
    dataset="pairs",
    repository="owner/pairs",
    commit="0123456789abcdef",
    format="parallel",
    files={"test": {"english": "src.eng.txt", "other": "ref/{code}.txt", "document": "DOCUMENTS.tsv"}},
    elsewhere={"gsw-BE": "additional/gsw-BE.txt"},
)
TABLE = Files(
    dataset="table",
    repository="owner/table",
    commit="0123456789abcdef",
    format="tsv",
    files={"test": ("data/{code}/test.tsv",), "train": ("data/{code}/train.tsv",)},
)
YORUBA = Variety("yor_Latn", code="yor")
TOPICS = ("science", "travel", "health")
TOPIC = Recipe("{index_id}", {"text": "{text}"}, fixed=TOPICS, answer=Gold("category"))
OUTWARD = Recipe("{line:04}", {"text": "{english}"}, cluster="{document}", references=("{other}",), skip_empty=True)
INWARD = replace(OUTWARD, fields={"text": "{other}"}, references=("{english}",))


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    return tmp_path


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pairs(mirror: Path, english: bytes | str, other: bytes | str, documents: str, code: str = "ref/yor") -> None:
    put(mirror / "pairs" / "src.eng.txt", english)
    put(mirror / "pairs" / f"{code}.txt", other)
    put(mirror / "pairs" / "DOCUMENTS.tsv", documents)


def task(source: Files, **changes: object) -> Task:
    values: dict[str, object] = {
        "name": "tiny",
        "version": "1",
        "title": "Tiny",
        "area": "topic",
        "kind": "choice",
        "source": source,
        "varieties": (YORUBA,),
        "sample": TOPIC,
        "prompt": Prompt("{text}"),
        "metrics": ("accuracy",),
        "origin": "native",
        "licence": "CC0-1.0",
        "citation": "",
        **changes,
    }
    return Task(**values)  # type: ignore[arg-type]


def table(mirror: Path, content: bytes | str, split: str = "test") -> Path:
    return put(mirror / "table" / "data" / "yor" / f"{split}.tsv", content)


def test_parallel_files(mirror: Path) -> None:
    pairs(mirror, "one\ntwo\n", "ọkan\nmeji\n", "d1\nd1\n")
    assert list(PAIRS.rows(YORUBA, "test")) == [
        Row({"english": "one", "other": "ọkan", "document": "d1", "line": 1}, "line 1"),
        Row({"english": "two", "other": "meji", "document": "d1", "line": 2}, "line 2"),
    ]


def test_a_file_outside_the_pattern(mirror: Path) -> None:
    pairs(mirror, "one\n", "eis\n", "d1\n", code="additional/gsw-BE")
    (row,) = PAIRS.rows(Variety("gsw_Latn", "BE", "gsw-BE"), "test")
    assert row.values["other"] == "eis"
    assert set(PAIRS.fingerprint(Variety("gsw_Latn", "BE", "gsw-BE"), "test")) == {
        "src.eng.txt",
        "additional/gsw-BE.txt",
        "DOCUMENTS.tsv",
    }


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\n\n", ["a", ""]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\rb\n", ["a\rb"]),
        ("\ufeffa\nb\u2028c\x85d\x0be\x1cf\n".encode(), ["a", "b\u2028c\x85d\x0be\x1cf"]),
        ("a\n\ufeffb\n".encode(), ["a", "\ufeffb"]),
        (b"a\x00b\n", ["a\x00b"]),
        (b" a \t\n", [" a \t"]),
    ],
)
def test_lines_are_cut_at_line_feeds_alone(tmp_path: Path, content: bytes, lines: list[str]) -> None:
    assert read_lines(put(tmp_path / "file", content)) == lines


def test_unequal_lengths_are_counted(mirror: Path) -> None:
    pairs(mirror, "one\ntwo\n", "ọkan\n", "d1\nd1\n")
    with pytest.raises(DataError, match=r"unequal length: src\.eng\.txt 2, yor\.txt 1, DOCUMENTS\.tsv 2"):
        list(PAIRS.rows(YORUBA, "test"))


@pytest.mark.parametrize(
    "content",
    [b"ok\n\xff\xfe\n", "é\n".encode("latin-1"), "a\n".encode("utf-16"), b"\xed\xa0\x80\n"],
)
def test_not_utf_8(mirror: Path, content: bytes) -> None:
    pairs(mirror, "one\n", content, "d1\n")
    with pytest.raises(DataError, match=r"yor\.txt is not UTF-8 text \(byte \d"):
        list(PAIRS.rows(YORUBA, "test"))


def test_a_table(mirror: Path) -> None:
    table(mirror, 'index_id\tcategory\ttext\n7\ttravel\t"a" \u2028b\r\n8\thealth\t\n')
    first, second = TABLE.rows(YORUBA, "test")
    values = {"line": 1, "file": "test", "index_id": "7", "category": "travel", "text": '"a" \u2028b'}
    assert first == Row(values, "test.tsv row 1")
    assert second.values["text"] == ""


def test_a_table_that_begins_with_a_mark(mirror: Path) -> None:
    table(mirror, "\ufeffindex_id\tcategory\ttext\n7\ttravel\ta\n")
    (sample,) = task(TABLE).samples(YORUBA)
    assert (sample.item, sample.answer, sample.options) == ("7", TOPICS.index("travel"), TOPICS)
    assert sample.id == "tiny@1/yor_Latn//7"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\n1\n", r"test\.tsv line 2: 1 columns, the header has 2"),
        ("a\tb\n1\t2\n1\t2\t3\n", r"test\.tsv line 3: 3 columns, the header has 2"),
        ("a\tb\n1\t2\n\n", r"test\.tsv line 3: 1 columns"),
    ],
)
def test_a_ragged_table(mirror: Path, content: str, message: str) -> None:
    table(mirror, content)
    with pytest.raises(DataError, match=message):
        list(TABLE.rows(YORUBA, "test"))


@pytest.mark.parametrize("header", ["index_id\tcategory", "index_id\ttopic\ttext", "Index_id\tcategory\ttext"])
def test_a_missing_column_is_named(mirror: Path, header: str) -> None:
    table(mirror, f"{header}\n" + "\t".join(["travel"] * (header.count("\t") + 1)) + "\n")
    with pytest.raises(
        DataError, match=r"test\.tsv row 1: no column '(text|category|index_id)'; there are line, file, "
    ):
        list(task(TABLE).samples(YORUBA))


def test_a_header_that_names_a_column_twice_is_refused(mirror: Path) -> None:
    table(mirror, "index_id\tcategory\ttext\ttext\n7\ttravel\ta\tb\n")
    with pytest.raises(DataError, match="text"):
        list(TABLE.rows(YORUBA, "test"))


def test_an_empty_table_is_refused(mirror: Path) -> None:
    table(mirror, "")
    with pytest.raises(DataError, match="empty|header"):
        list(TABLE.rows(YORUBA, "test"))


def test_an_unknown_topic_is_named_with_its_row(mirror: Path) -> None:
    table(mirror, "index_id\tcategory\ttext\n7\tweather\ta\n")
    with pytest.raises(DataError, match=r"test\.tsv row 1: the answer 'weather' is the text of none of the options"):
        list(task(TABLE).samples(YORUBA))


def test_both_directions_and_empty_lines(mirror: Path) -> None:
    pairs(mirror, "one\n\nthree\nfour\n", "ọkan\nmeji\n \nmẹrin\n", "d1\nd1\nd2\nd2\n")
    outward = list(task(PAIRS, kind="generation", sample=OUTWARD).samples(YORUBA))
    inward = list(task(PAIRS, kind="generation", sample=INWARD).samples(YORUBA))
    assert [(one.item, one.input, one.references, one.cluster) for one in outward] == [
        ("0001", "one", ("ọkan",), "d1"),
        ("0004", "four", ("mẹrin",), "d2"),
    ]
    assert [(one.input, one.references) for one in inward] == [("ọkan", ("one",)), ("mẹrin", ("four",))]
    assert [one.item for one in inward] == [one.item for one in outward]


def test_a_missing_split_names_those_there_are(mirror: Path) -> None:
    assert (PAIRS.splits, TABLE.splits) == (("test",), ("test", "train"))
    with pytest.raises(DataError, match="pairs has no train split; it has test"):
        PAIRS.rows(YORUBA, "train")


def test_a_missing_file_and_a_missing_folder(mirror: Path) -> None:
    with pytest.raises(DataError, match=r"has no folder table \(owner/table at 0123456 has it\)"):
        list(TABLE.rows(YORUBA, "test"))
    table(mirror, "a\n", split="train")
    with pytest.raises(DataError, match=r"has no file table/data/yor/test\.tsv"):
        list(TABLE.rows(YORUBA, "test"))
    with pytest.raises(DataError, match="has no file table/data/hau"):
        list(TABLE.rows(Variety("hau_Latn", code="hau"), "test"))


def test_a_mirror_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="nowhere does not exist"):
        list(TABLE.rows(YORUBA, "test"))
    put(tmp_path / "file", "")
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "file"))
    with pytest.raises(DataError, match="file does not exist"):
        list(TABLE.rows(YORUBA, "test"))


def test_describe_and_fingerprint(mirror: Path) -> None:
    content = b"index_id\tcategory\ttext\n7\ttravel\ta\n"
    table(mirror, content)
    digest = hashlib.sha256(content).hexdigest()
    assert TABLE.describe("data/yor/test.tsv") == Entry(digest, 1, ("index_id", "category", "text"))
    assert TABLE.fingerprint(YORUBA, "test") == {"data/yor/test.tsv": digest}
    pairs(mirror, "one\ntwo\n", "ọkan\nmeji\n", "d1\nd1\n")
    described = PAIRS.describe("src.eng.txt")
    assert (described.rows, described.columns) == (2, ())


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Entry]:
    """Entries of the lock for the dataset `table`, to be filled by the test."""
    entries: dict[str, Entry] = {}
    monkeypatch.setattr(lock, "files", lambda dataset: entries if dataset == "table" else {})
    return entries


def test_a_changed_file_is_refused_and_named(mirror: Path, locked: dict[str, Entry]) -> None:
    path = table(mirror, "index_id\tcategory\ttext\n7\ttravel\ta\n")
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    locked["data/yor/test.tsv"] = Entry(right, 1, ())
    assert len(list(TABLE.rows(YORUBA, "test"))) == 1
    locked["data/yor/test.tsv"] = Entry("f" * 64, 1, ())
    for act in (TABLE.rows, TABLE.fingerprint):
        with pytest.raises(DataError) as caught:
            list(act(YORUBA, "test"))
        message = str(caught.value)
        assert "table/data/yor/test.tsv is not the file that data.lock pins" in message
        assert right[:12] in message
        assert "ffffffffffff" in message
        assert "owner/table at 0123456" in message
        assert "\n" not in message


def test_a_file_that_changes_while_the_program_runs_is_noticed(mirror: Path, locked: dict[str, Entry]) -> None:
    path = table(mirror, "index_id\tcategory\ttext\n7\ttravel\ta\n")
    locked["data/yor/test.tsv"] = Entry(hashlib.sha256(path.read_bytes()).hexdigest(), 1, ())
    list(TABLE.rows(YORUBA, "test"))
    table(mirror, "index_id\tcategory\ttext\n7\ttravel\tanother\n")
    with pytest.raises(DataError, match="is not the file"):
        list(TABLE.rows(YORUBA, "test"))


def test_real_samples_have_identities_of_their_own(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(data))
    for name, count in (("sib200", 204), ("ntrex-from-eng", 1900)):
        declared = tasks.get(name)
        for variety in declared.varieties[:3]:
            samples: list[Sample] = list(declared.samples(variety))
            assert len(samples) >= count
            assert len({one.id for one in samples}) == len(samples)
            assert all(one.input.strip() for one in samples)


def test_items_are_the_same_across_languages(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(data))
    sib = tasks.get("sib200")
    gold = [{one.item: one.answer for one in sib.samples(variety)} for variety in sib.varieties[::40]]
    assert all(one == gold[0] for one in gold)


def test_the_flaw_that_ntrex_declares_is_there(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zawgyi writes with U+1039 what Unicode writes with U+103A, and Unicode keeps U+1039 for stacked consonants."""
    monkeypatch.setenv("BENCH_DATA", str(data))
    ntrex, sib = tasks.get("ntrex-into-eng"), tasks.get("sib200")
    flawed = {variety.language: variety for variety in ntrex.varieties if variety.flaw == "legacy_encoding"}
    assert flawed.keys() == {"mya_Mymr"}
    (sound,) = [variety for variety in sib.varieties if variety.language == "mya_Mymr"]
    texts = {
        "zawgyi": "".join(sample.input for sample in ntrex.samples(flawed["mya_Mymr"])),
        "unicode": "".join(sample.input for sample in sib.samples(sound)),
    }
    assert texts["zawgyi"].count("\u1039") > 5 * texts["zawgyi"].count("\u103a")
    assert texts["unicode"].count("\u103a") > 5 * texts["unicode"].count("\u1039")
