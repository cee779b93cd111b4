"""What `score` prints: sacreBLEU's own output, made by sacreBLEU's own printers from the kernels' numbers."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from sacrebleu.metrics.base import Score
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import Result
from sacrebleu.utils import Color, print_results_table, print_single_results

from kernels import sacrebleu_compat
from kernels.base import Metric, Statistics
from kernels.bleu_score import Bleu
from kernels.text import Text

Options = Mapping[str, Any]
TEXT_WIDTH = 2
SHORT = {
    "nrefs": "#", "bs": "bs", "ar": "ar", "seed": "rs", "case": "c", "eff": "e", "smooth": "s", "space": "s",
    "norm": "nr", "punct": "pn", "asian": "as", "version": "v",
}  # fmt: skip
"""sacreBLEU's shorter names of what stands in a signature."""


class Share(Score):
    """A score from 0 to 1: people read it in percent, and JSON keeps two digits more."""

    def format(
        self, width: int = TEXT_WIDTH, score_only: bool = False, signature: str = "", is_json: bool = False
    ) -> str:
        """In the shape of sacreBLEU's scores."""
        if is_json and not score_only:
            return super().format(width + 2, score_only, signature, is_json)
        text = f"{self.score:.{width}%}"
        if self._mean > 0:
            text += f" (μ = {self._mean:.{width}%} ± {self._ci:.{width}%})"
        return text if score_only else f"{self.name}|{signature} = {text}"


class Corpus:
    """Systems and their statistics by every metric; `systems` are segments by name, all as long as each reference."""

    def __init__(
        self, metrics: Sequence[Metric], systems: Mapping[str, list[str]], references: Sequence[list[str]]
    ) -> None:
        self.metrics = list({metric.name: metric for metric in metrics}.values())
        self.systems = list(systems)
        self.streams = len(references)
        streams: list[Any] = [Text(stream) for stream in references]
        written: list[Any] = [Text(segments) for segments in systems.values()]
        self.statistics = [[metric.statistics(text, streams) for text in written] for metric in self.metrics]

    def signature(self, metric: Metric, short: bool = False, **drawn: int | None) -> str:
        """The metric's, with the number of draws and their seed where sacreBLEU has them."""
        pairs = [pair.split(":", 1) for pair in metric.signature(self.streams).split("|")]
        if drawn:
            seed = sacrebleu_compat.environment_seed()
            added = [[name, str(value)] for name, value in drawn.items()] + [["seed", str(seed).lower()]]
            at = 1 if pairs[0][0] == "nrefs" else 0
            pairs[at:at] = added
        if short:
            names = {**SHORT, "tok": "t"} if metric.name == "TER" else SHORT
            pairs = [[names.get(name, name), value] for name, value in pairs]
        return "|".join(":".join(pair) for pair in pairs)


def print_sentences(corpus: Corpus, options: Options) -> None:
    """A line for each segment; with `--json` one array."""
    (metric,), ((statistics,),) = corpus.metrics, corpus.statistics
    signature = corpus.signature(metric, options["short"])
    scores = zip(statistics, metric.segment_scores(statistics).tolist(), strict=True)
    shown = (_score(metric, row, score) for row, score in scores)
    if options["as_json"] and not options["score_only"]:
        _print_array([_json(score, corpus.signature(metric), options) for score in shown])
        return
    width = _text_width(options)
    for score in shown:
        click.echo(score.format(width, options["score_only"], signature))


def print_scores(corpus: Corpus, options: Options) -> None:
    """A line for each metric, or JSON: an object, or an array of one for each metric."""
    as_json = options["as_json"] or options["form"] == "json"
    drawn = {"bs": options["confidence_n"]} if options["confidence"] else {}
    scores = [
        _score(metric, statistics.sum(axis=0), _corpus_score(metric, statistics))
        for metric, (statistics,) in zip(corpus.metrics, corpus.statistics, strict=True)
    ]
    if drawn:
        tasks = [(metric, rows) for metric, (rows,) in zip(corpus.metrics, corpus.statistics, strict=True)]
        found = sacrebleu_compat.confidences(tasks, drawn["bs"], sacrebleu_compat.environment_seed())
        for score, confidence in zip(scores, found, strict=True):
            score._mean, score._ci = confidence.mean, confidence.ci
    signatures = [corpus.signature(metric, options["short"] and not as_json, **drawn) for metric in corpus.metrics]
    pairs = list(zip(scores, signatures, strict=True))
    if as_json and not options["score_only"]:
        lines = [_json(score, signature, options) for score, signature in pairs]
    else:
        lines = [score.format(_text_width(options), options["score_only"], signature) for score, signature in pairs]
    _colours()
    print_single_results(lines, Namespace(format="json" if as_json else "text"))


def print_systems(corpus: Corpus, options: Options) -> None:
    """A table of systems by metrics, with the test's p if one is asked for. Shares stand in it as percent."""
    test: sacrebleu_compat.Test | None = "bs" if options["paired_bs"] else "ar" if options["paired_ar"] else None
    rounds = {test: options[f"paired_{test}_n"]} if test else {}
    as_json = options["as_json"] or options["form"] == "json"
    columns = _paired(corpus, test, rounds[test], as_json) if test else _plain(corpus, options, as_json)
    names = [f"Baseline: {corpus.systems[0]}", *corpus.systems[1:]] if test else corpus.systems
    _colours()
    print_results_table(
        {"System": names, **columns},
        {metric.name: corpus.signature(metric, options["short"], **rounds) for metric in corpus.metrics},
        Namespace(
            format="json" if as_json else options["form"] or "text",
            width=_text_width(options),
            **{name: options[name] for name in ("paired_bs", "paired_ar", "paired_bs_n", "paired_ar_n")},
        ),
    )


def _paired(corpus: Corpus, test: sacrebleu_compat.Test, rounds: int, as_json: bool) -> dict[str, list[Result]]:
    comparisons = [
        sacrebleu_compat.Comparison(metric, systems)
        for metric, systems in zip(corpus.metrics, corpus.statistics, strict=True)
    ]
    found = sacrebleu_compat.paired(comparisons, test, rounds, sacrebleu_compat.environment_seed())
    columns = {}
    for metric, results in zip(corpus.metrics, found, strict=True):
        title, factor = _column(metric, as_json)
        columns[title] = [
            Result(
                factor * made.score,
                made.p,
                None if made.mean is None else factor * made.mean,
                None if made.ci is None else factor * made.ci,
            )
            for made in results
        ]
    return columns


def _plain(corpus: Corpus, options: Options, as_json: bool) -> dict[str, list[str]]:
    whole = options["as_json"] and options["width"] is None
    width = _text_width(options)
    columns: dict[str, list[str]] = {}
    for metric, systems in zip(corpus.metrics, corpus.statistics, strict=True):
        title, factor = _column(metric, as_json)
        values = [factor * _corpus_score(metric, statistics) for statistics in systems]
        more = 2 if metric.best == 1 and as_json else 0
        columns[title] = [str(value) if whole else f"{value:.{width + more}f}" for value in values]
    return columns


def _column(metric: Metric, as_json: bool) -> tuple[str, int]:
    """A column's title, and what its scores are multiplied by; by 1, a float is what it was to the bit."""
    return (f"{metric.name} %", 100) if metric.best == 1 and not as_json else (metric.name, 1)


def _corpus_score(metric: Metric, statistics: Statistics) -> float:
    return float(metric.from_statistics(statistics.sum(axis=0, keepdims=True))[0])


def _named(metric: Metric, value: float) -> Score:
    return Share(metric.name, value) if metric.best == 1 else Score(metric.name, value)


def _score(metric: Metric, sums: Iterable[int], value: float) -> Score:
    """SacreBLEU's score, which for BLEU tells its parts as well."""
    if not isinstance(metric, Bleu):
        return _named(metric, value)
    length, reference, *counts = (int(number) for number in sums)
    return BLEU.compute_bleu(
        correct=counts[: metric.max_ngram_order],
        total=counts[metric.max_ngram_order :],
        sys_len=length,
        ref_len=reference,
        smooth_method=metric.smooth_method,
        smooth_value=metric.smooth_value,
        effective_order=metric.effective_order,
        max_ngram_order=metric.max_ngram_order,
    )


def _json(score: Score, signature: str, options: Options) -> str:
    """SacreBLEU's object; where no width is given `--json` has every digit of its numbers."""
    text = score.format(_text_width(options), False, signature, True)
    if options["width"] is not None or not options["as_json"]:
        return text
    made = json.loads(text)
    made["score"] = score.score
    if "confidence_mean" in made:
        made["confidence_mean"], made["confidence_var"] = score._mean, score._ci
    return json.dumps(made, indent=1, ensure_ascii=False)


def _print_array(objects: Sequence[str]) -> None:
    click.echo("[\n" + ",\n".join(objects) + "\n]")


def _text_width(options: Options) -> int:
    """SacreBLEU's digits where its own `--format` is asked for, else one more."""
    if options["width"] is not None:
        return int(options["width"])
    return 1 if options["form"] else TEXT_WIDTH


def _colours() -> None:
    Color.ENABLE_COLORS = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
