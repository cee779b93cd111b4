"""Parallel corpora, and the premiums of bytes and code points on them against a plain count of the files."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.premium.premium import compare, premiums
from bench.premium.texts import CORPORA, Pairs, corpus
from bench.premium.tokenizers import open_tokenizer
from bench.records import UsageError
from tasks import hub
from tests.tasks import hub_layout

SPLITS = ("dev", "devtest")
ALPHABETS = {
    "eng_Latn": "abcdefghijklmnopqrstuvwxyz ,.",
    "yor_Latn": "abdẹfghijọṣtuàéìòù ,.",
    "hau_Latn": "abɓcdɗefghijkƙ ,.",
    "est_Latn": "abdefõäöü ,.",
    "shn_Mymr": "ၵၶငၸသၺတထၼပၽၾမယရလဝႁဢ ",
    "jpn_Jpan": "井は深く川広い。、𠮷",
    "urd_Arab": "ابپتٹجچحخدڈ ،۔",
    "sat_Olck": "ᱚᱛᱜᱝᱞᱟᱠᱡ ᱾",
}


@pytest.fixture
def flores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A mirror with FLORES-200's shape, one configuration with a column a language and 997 + 1012 rows; its columns."""
    import datasets

    drawn = random.Random(200)
    columns: dict[str, list[str]] = {code: [] for code in ALPHABETS}
    cards = []
    for split, size in zip(SPLITS, (997, 1012), strict=True):
        made = {
            code: ["".join(drawn.choices(alphabet, k=drawn.randint(20, 180))).strip() + "x" for _ in range(size)]
            for code, alphabet in ALPHABETS.items()
        }
        path = tmp_path / "flores200" / "data" / f"{split}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_dict(made).to_parquet(str(path))
        cards.append(f"  - split: {split}\n    path: data/{split}.parquet\n")
        for code, values in made.items():
            columns[code] += values
    card = f"---\nconfigs:\n- config_name: default\n  data_files:\n{''.join(cards)}---\n"
    (tmp_path / "flores200" / "README.md").write_text(card, "utf-8")
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    hub._resolve_cached.cache_clear()
    return columns


def test_bytes_and_code_points_on_flores_200_are_a_plain_count(flores: dict[str, list[str]]) -> None:
    texts = corpus("flores200")
    chosen = texts.chosen([code for code in ALPHABETS if code != "eng_Latn"])
    written, points = compare([open_tokenizer("bytes"), open_tokenizer("codepoints")], texts, chosen)
    assert {one.language for one in written.languages} == ALPHABETS.keys() - {"eng_Latn"}
    for one, other in zip(written.languages, points.languages, strict=True):
        own, english = flores[one.language], flores["eng_Latn"]
        assert one.sentences == other.sentences == 2009
        assert one.tokens == sum(len(sentence.encode()) for sentence in own)
        assert other.tokens == sum(len(sentence) for sentence in own)
        assert one.premium == one.byte_premium == other.byte_premium
        assert one.premium == sum(len(s.encode()) for s in own) / sum(len(s.encode()) for s in english)
        assert other.premium == sum(len(s) for s in own) / sum(len(s) for s in english)
        assert one.low is not None
        assert one.high is not None
        assert one.low < one.premium < one.high


def test_the_short_way_through_a_parquet_file_reads_what_the_long_one_reads(flores: dict[str, list[str]]) -> None:
    texts = corpus("flores200")
    for code in ("yor_Latn", "sat_Olck"):
        (variety,) = texts.chosen([code])
        rows = [row for split in texts.splits for row in texts.task.source.rows(variety, split)]
        found = texts.pairs(variety)
        assert found.texts == [row.values[code] for row in rows] == flores[code]
        assert found.english == [row.values["eng_Latn"] for row in rows]
        assert len(set(found.clusters)) == 2009


def test_a_language_whose_column_the_files_do_not_have(flores: dict[str, list[str]]) -> None:
    texts = corpus("flores200")
    with pytest.raises(UsageError, match=r"corpus flores200: flores200/data/dev.parquet: no column 'zul_Latn'"):
        texts.pairs(texts.chosen(["zul"])[0])


@pytest.mark.parametrize(("name", "code"), [("flores200", "yor_Latn"), ("flores", "hau_Latn")])
def test_the_fixtures_of_the_hub_read_too(
    name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_layout.write("flores200" if name == "flores200" else "flores_plus", tmp_path)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    hub._resolve_cached.cache_clear()
    texts = corpus(name)
    (variety,) = texts.chosen([code])
    found = texts.pairs(variety)
    assert found.texts
    assert len(found.texts) == len(found.english) == len(found.clusters)
    assert len(texts.revision([variety])) == len("sha256:") + 16


def put(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def test_empty_lines_drop_the_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The paths that the declaration pins hold other lines here, which is what the lock is for: so it is told of none.
    monkeypatch.setattr("tasks.lock.expected", lambda *_: None)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    folder = tmp_path / "ntrex128"
    put(folder / "NTREX-128" / "newstest2019-src.eng.txt", ["One.", "Two.", " ", "Four."])
    put(folder / "NTREX-128" / "newstest2019-ref.yor.txt", ["Ọ̀kan.", "", "Mẹ́ta.", "Mẹ́rin. "])
    put(folder / "DOCUMENT_IDS.tsv", ["a", "a", "b", "b"])
    texts = corpus("ntrex")
    (yoruba,) = texts.chosen(["yor"])
    assert texts.pairs(yoruba) == Pairs(["One.", "Four."], ["Ọ̀kan.", "Mẹ́rin. "], ["a", "b"], 2)
    put(folder / "NTREX-128" / "newstest2019-ref.yor.txt", ["Ọ̀kan."])
    with pytest.raises(UsageError, match="corpus ntrex: parallel files of unequal length"):
        texts.pairs(yoruba)


def test_what_is_not_there_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    with pytest.raises(UsageError, match=r"corpus ntrex: data folder .* has no folder ntrex128 \(MicrosoftTranslator"):
        premiums(open_tokenizer("bytes"), corpus("ntrex"))
    with pytest.raises(UsageError, match=r"no corpus 'ntrx'; did you mean 'ntrex'\?; there are ntrex, flores200"):
        corpus("ntrx")
    with pytest.raises(UsageError, match="tico19-from-eng has no Yoruba"):
        corpus("tico19").chosen(["yor"])


def test_ntrex_has_every_language_and_every_english_but_the_source() -> None:
    texts = corpus("ntrex")
    codes = {variety.code for variety in texts.varieties}
    assert len(codes) == len(texts.varieties) == 129  # 127 files of NTREX-128 beside the source, and 2 Swiss ones
    assert {"eng-GB", "eng-IN", "eng-US", "fra-CA", "gsw-ZH"} <= codes
    assert "eng" not in codes
    assert [variety.code for variety in texts.chosen(["por_Latn-BR", "eng-GB"])] == ["por-BR", "eng-GB"]


@pytest.mark.parametrize("name", ["ntrex", "tico19", "udhr"])
def test_bytes_and_code_points_on_the_mirror_are_a_plain_count(
    name: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_DATA", str(data))
    texts = corpus(name)
    chosen = texts.varieties[::23]
    written, points = compare([open_tokenizer("bytes"), open_tokenizer("codepoints")], texts, chosen)
    for variety, one, other in zip(chosen, written.languages, points.languages, strict=True):
        samples = list(texts.task.samples(variety))  # the long way, as a run reads them
        assert one.sentences == len(samples)
        english, own = [sample.input for sample in samples], [sample.references[0] for sample in samples]
        assert one.tokens == sum(len(text.encode()) for text in own)
        assert one.premium == one.tokens / sum(len(text.encode()) for text in english)
        assert other.premium == sum(map(len, own)) / sum(map(len, english))
    if name == "ntrex":
        folder = data / "ntrex128" / "NTREX-128"
        source = (folder / "newstest2019-src.eng.txt").read_bytes().translate(None, b"\r\n")
        afrikaans = (folder / "newstest2019-ref.afr.txt").read_bytes().translate(None, b"\r\n")
        assert written.languages[0].premium == len(afrikaans) / len(source)


def test_every_corpus_is_a_translation_from_english() -> None:
    for name, task in CORPORA.items():
        assert corpus(name).task.name == task
        assert corpus(name).varieties
