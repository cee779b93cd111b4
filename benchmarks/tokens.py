"""`bench tokens` over all of NTREX-128 with four tokenizers: seconds, sentences a second, and where the time goes.

    python benchmarks/tokens.py
    python benchmarks/tokens.py --vocabulary 8000 --folder /tmp/tokenizers    # keeps the tokenizers that it trains

The tokenizers are trained on NTREX itself: byte-level BPE as Hugging Face writes it, the same merges as a tiktoken
file, SentencePiece unigram and SentencePiece BPE with byte fallback. The wish is under 60 seconds on two cores for the
four together. Beside it, the first one alone against transformers' AutoTokenizer over the same sentences, in the same
run; both sides must count the same tokens. BENCH_DATA names the mirror.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import corpus as ntrex

from bench.premium import premium, texts
from bench.premium.tokenizers import open_tokenizer

WANTED = 60.0


def main() -> None:
    """Trains, counts, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=32_000)
    parser.add_argument("--folder", type=Path, help="where the tokenizers are kept; they go with the run unless told")
    given = parser.parse_args()
    os.environ.setdefault("BENCH_DATA", str(ntrex.mirror().parents[1]))
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report(trained(folder, given.vocabulary), folder)


def report(specs: list[str], folder: Path) -> None:
    """The table."""
    corpus = texts.corpus("ntrex")
    seconds, pairs = timed(lambda: [corpus.pairs(variety) for variety in corpus.varieties])
    sentences = sum(len(one.texts) for one in pairs)
    print(f"{os.cpu_count()} cores, {len(pairs)} languages and varieties, {sentences:,} sentences")
    print(f"{'reading alone':<34} {seconds:6.1f} s")
    del pairs
    tokenizers = [open_tokenizer(spec) for spec in specs]
    for spec, tokenizer in zip(specs, tokenizers, strict=True):
        seconds, made = timed(lambda tokenizer=tokenizer: premium.premiums(tokenizer, corpus))
        gini = -1.0 if made.gini is None else made.gini
        print(f"{Path(spec).name:<34} {seconds:6.1f} s {sentences / seconds:9,.0f} sentences/s   Gini {gini:.3f}")
    computed = time.process_time()
    seconds, _ = timed(lambda: premium.compare(tokenizers, corpus))
    computed = time.process_time() - computed  # of all cores together; on a busy machine it is what can be compared
    print(f"{'the four together':<34} {seconds:6.1f} s, {computed:.1f} s of processor   wanted: under {WANTED:.0f} s")
    against_transformers(folder / "bpe", corpus)


def against_transformers(folder: Path, corpus: texts.Corpus) -> None:
    """Both sides over the same sentences in turns; the sums of tokens have to be equal."""
    from transformers import AutoTokenizer

    peer: Any = AutoTokenizer.from_pretrained(str(folder))
    own = open_tokenizer(f"hf:{folder}")
    ours = theirs = 0.0
    for variety in corpus.varieties:
        sentences = corpus.pairs(variety).texts
        seconds, counts = timed(lambda sentences=sentences: own.count(sentences).tokens)
        ours += seconds
        seconds, encoded = timed(lambda sentences=sentences: peer(sentences, add_special_tokens=False)["input_ids"])
        theirs += seconds
        if counts.tolist() != [len(one) for one in encoded]:
            raise SystemExit(f"{variety.code}: transformers counts other tokens")
    print(f"{'counting alone':<34} {ours:6.1f} s   transformers {theirs:6.1f} s   ratio {theirs / ours:.1f}")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of wall clock, and what came of it."""
    begin = time.perf_counter()
    made = work()
    return time.perf_counter() - begin, made


def trained(folder: Path, vocabulary: int) -> list[str]:
    """The four specifications; what lies in the folder already is taken as it is."""
    paths = [folder / name for name in ("bpe/tokenizer.json", "bpe.tiktoken", "unigram.model", "bytes.model")]
    if not all(path.exists() for path in paths):
        paths[0].parent.mkdir(exist_ok=True)
        byte_level(paths[0], vocabulary)
        as_tiktoken(paths[0], paths[1])
        for path, kind in ((paths[2], "unigram"), (paths[3], "bpe")):
            sentencepiece_model(path, vocabulary, kind)
    return [f"hf:{paths[0].parent}", f"tiktoken:{paths[1]},r50k_base", *(f"sp:{path}" for path in paths[2:])]


def sentences() -> Iterator[str]:
    """Every third sentence of each language, so that training does not take the better part of the run."""
    for lines in ntrex.languages().values():
        yield from lines[::3]


def byte_level(path: Path, vocabulary: int) -> None:
    """GPT-2's kind."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(sentences(), trainer)
    made.save(str(path))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 1 << 20}
    path.with_name("tokenizer_config.json").write_text(json.dumps(config), "utf-8")


def as_tiktoken(source: Path, path: Path) -> None:
    """The same merges, as tiktoken writes them."""
    from tokenizers import Tokenizer

    from bench.premium.tokenizers_hf import letters

    of_letter = letters()
    ranked = sorted(Tokenizer.from_file(str(source)).get_vocab().items(), key=lambda one: one[1])
    lines = (
        base64.b64encode(bytes(of_letter[letter] for letter in token)) + f" {rank}\n".encode() for token, rank in ranked
    )
    path.write_bytes(b"".join(lines))


def sentencepiece_model(path: Path, vocabulary: int, kind: str) -> None:
    """SentencePiece's own kinds, BPE with byte fallback."""
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=sentences(),
        model_prefix=str(path.with_suffix("")),
        vocab_size=vocabulary,
        model_type=kind,
        byte_fallback=kind == "bpe",
        character_coverage=0.9995,
        num_threads=os.cpu_count(),
        minloglevel=2,
    )


if __name__ == "__main__":
    main()
