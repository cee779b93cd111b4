"""The metrics that `score` knows, and their options, under sacreBLEU's names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from bench.records import UsageError

NAMES = (
    "chrf", "chrf++", "bleu", "ter", "cer", "cer-grapheme", "wer", "exact_match", "token_f1", "rouge_l",
)  # fmt: skip
TOKENIZERS = (
    "13a", "intl", "zh", "char", "none", "ja-mecab", "ko-mecab", "spm", "flores101", "flores200", "spBLEU-1K",
)  # fmt: skip
UNITS: dict[str, Any] = {"cer": "character", "cer-grapheme": "grapheme", "wer": "word"}
OPTIONS = (
    click.option("--tokenize", "-tok", type=click.Choice(TOKENIZERS), help="BLEU's tokenizer. [default: 13a, or -l's]"),
    click.option(
        "--smooth-method",
        "--bleu-smooth-method",
        "-s",
        type=click.Choice(["none", "floor", "add-k", "exp"]),
        default="exp",
        show_default=True,
        help="BLEU's smoothing.",
    ),
    click.option(
        "--smooth-value", "--bleu-smooth-value", "-sv", type=float, help="For floor [default: 0.1] and add-k [1]."
    ),
    click.option("--bleu-max-ngram-order", type=click.IntRange(1, 100), default=4, show_default=True),
    click.option("--lowercase", "-lc", is_flag=True, help="BLEU without case."),
    click.option(
        "--language-pair",
        "-l",
        metavar="SRC-TRG",
        help="Its target chooses BLEU's tokenizer, and what token_f1 takes for articles.",
    ),
    click.option("--spm-model", type=click.Path(path_type=Path), help="SentencePiece model of spm and flores200."),
    click.option("--spm-sha256", metavar="HEX", help="What that file must be; then it is named in the signature."),
    click.option("--chrf-char-order", "-cc", type=click.IntRange(0, 100), default=6, show_default=True),
    click.option("--chrf-word-order", "-cw", type=click.IntRange(0, 100), help="[default: 0; 2 for chrf++]"),
    click.option("--chrf-beta", type=click.IntRange(1, 100), default=2, show_default=True, help="Weight of recall."),
    click.option("--chrf-whitespace", is_flag=True, help="White space is part of character n-grams."),
    click.option("--chrf-lowercase", is_flag=True, help="chrF without case."),
    click.option("--chrf-eps-smoothing", is_flag=True, help="As chrF++.py, NLTK and Moses; not the effective order."),
    click.option("--ter-case-sensitive", is_flag=True, help="TER with case."),
    click.option("--ter-asian-support", is_flag=True, help="Chinese, Japanese: with the two following."),
    click.option("--ter-no-punct", is_flag=True, help="TER without punctuation."),
    click.option("--ter-normalized", is_flag=True, help="TER after basic tokenization."),
    click.option("--backend", type=click.Choice(["auto", "gpu", "cpu"]), default="auto", show_default=True),
)


def metric(name: str, options: Mapping[str, Any]) -> Any:
    """The metric of that name with its options. Raises `UsageError` or `ValueError` for those that make none."""
    match name:
        case "chrf" | "chrf++":
            return _chrf(name, options)
        case "bleu":
            return _bleu(options)
        case "ter":
            return _ter(options)
        case "cer" | "cer-grapheme" | "wer":
            from kernels.edit_score import EditRate

            return EditRate(UNITS[name], backend=options["backend"])
    return _other(name, options)


def _other(name: str, options: Mapping[str, Any]) -> Any:
    if options["backend"] == "gpu":
        raise UsageError(f"{name} is computed on the CPU only; use --backend auto or cpu")
    if name == "token_f1":
        from kernels.token_f1 import TokenF1

        return TokenF1(language=_target_language(options))
    if name == "rouge_l":
        from kernels.rouge_score import RougeL

        return RougeL(language=_target_language(options))
    import kernels

    return kernels.metric(name)


def _chrf(name: str, options: Mapping[str, Any]) -> Any:
    from kernels.chrf_score import Chrf

    order = options["chrf_word_order"]
    if name == "chrf++" and order not in (None, 2):
        raise UsageError(f"chrf++ has the word order 2; for {order} give --metric chrf")
    return Chrf(
        options["chrf_char_order"],
        2 if name == "chrf++" else order or 0,
        options["chrf_beta"],
        lowercase=options["chrf_lowercase"],
        whitespace=options["chrf_whitespace"],
        eps_smoothing=options["chrf_eps_smoothing"],
        backend=options["backend"],
    )


def _bleu(options: Mapping[str, Any]) -> Any:
    from kernels.bleu_score import Bleu

    return Bleu(
        options["tokenize"],
        lowercase=options["lowercase"],
        smooth_method=options["smooth_method"],
        smooth_value=options["smooth_value"],
        max_ngram_order=options["bleu_max_ngram_order"],
        effective_order=options["sentence_level"],
        target_language=_target(options),
        spm_model=options["spm_model"],
        spm_sha256=options["spm_sha256"],
        backend=options["backend"],
    )


def _ter(options: Mapping[str, Any]) -> Any:
    from kernels.ter_score import Ter

    return Ter(
        normalized=options["ter_normalized"],
        no_punct=options["ter_no_punct"],
        asian_support=options["ter_asian_support"],
        case_sensitive=options["ter_case_sensitive"],
        backend=options["backend"],
    )


def _target(options: Mapping[str, Any]) -> str:
    """The target of the language pair as the user wrote it; empty where there is none."""
    pair = options["language_pair"]
    if pair is None:
        return ""
    _, dash, rest = pair.partition("-")
    if not dash:
        raise UsageError(f"--language-pair is {pair!r}; it must be source and target, as in en-zh")
    return str(rest.split("-")[0])


def _target_language(options: Mapping[str, Any]) -> str:
    """The target's id, for metrics that know of articles and of dotless i."""
    if not _target(options):
        return ""
    import languages

    try:
        return languages.get(_target(options)).code
    except languages.LanguageError as error:
        raise UsageError(f"--language-pair: {error}") from error
