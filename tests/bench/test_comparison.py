"""Comparing runs: what is paired, what is refused and why, and whether a verdict can be relied on."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_of_statsmodels
from statsmodels.stats.multitest import multipletests

import kernels
from bench.cli.compare import print_comparisons
from bench.comparison import NUMBERS, Answers, Comparison, Scored, compare
from bench.difference import DETECTABLE, Evidence, Pair, difference, holm, mcnemar
from bench.records import Cell, UsageError
from bench.runfile_records import SampleFacts
from benchmarks.false_positives import DESIGNS, Design, family, simulate

ACCURACY = kernels.metric("accuracy")
CHRF = kernels.metric("chrf")
CELL = Cell(
    *("m", "quiz", "1", "yor_Latn", "", "", "topic", "accuracy", "accuracy|version:1", 0.5, 0.5, 0.0, 40, 0.3, 0.7),
    *("generate", "english", 0, 0, 0, 0, None, None, None, None, "none"),
)  # fmt: skip
Rights = Sequence[int]


def answers(
    rights: Rights, language: str = "yor_Latn", first: int = 0, clusters: int = 0, data: str = "", **cell: Any
) -> Answers:
    """Items numbered from `first`, each right (1) or not (0); with `clusters` they share so many passages."""
    items = {
        f"i{number:05d}": (SampleFacts(f"hash{number}{data}", f"p{number % clusters}" if clusters else ""), (right, 1))
        for number, right in enumerate(rights, start=first)
    }
    return Answers(replace(CELL, language=language, **cell), items)


def run(name: str, *given: Answers) -> Scored:
    return Scored(f"{name}.run.db", name, given)


def only(*found: Comparison) -> Comparison:
    """The one comparison of a language."""
    (one,) = [one for one in found if one.scope == "language"]
    return one


def coins(seed: int, count: int, share: float = 0.5) -> list[int]:
    return [int(one) for one in np.random.default_rng(seed).random(count) < share]


def of_shares(baseline: Rights, system: Rights, clusters: Sequence[int]) -> Evidence:
    sides = [np.stack([np.array(side), np.ones(len(side), dtype=np.int64)], axis=1) for side in (baseline, system)]
    return difference(Pair(ACCURACY, sides[0], sides[1], [f"{one:05d}" for one in clusters]), 1)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_that_of_statsmodels(baseline_only: int, system_only: int) -> None:
    table = [[5, baseline_only], [system_only, 7]]
    p = mcnemar(baseline_only, system_only)
    assert p == pytest.approx(mcnemar_of_statsmodels(table, exact=True).pvalue, rel=1e-9)
    half = stats.binom.pmf(min(baseline_only, system_only), baseline_only + system_only, 0.5)
    assert mcnemar(baseline_only, system_only, mid_p=True) == pytest.approx(
        1.0 if baseline_only == system_only else p - half, rel=1e-9
    )


def test_mcnemar_of_many_discordant_items_is_exact() -> None:
    assert mcnemar(4_800, 5_200) == pytest.approx(2 * stats.binom.cdf(4_800, 10_000, 0.5), rel=1e-9)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist(), rel=1e-12)


@pytest.mark.parametrize(("baseline_only", "system_only"), [(0, 1100), (100, 3000)])
def test_no_p_is_so_small_that_it_is_0(baseline_only: int, system_only: int) -> None:
    assert mcnemar(baseline_only, system_only) == mcnemar(baseline_only, system_only, mid_p=True) == sys.float_info.min


@pytest.mark.parametrize("name", ["chrf++", "token_f1", "rouge_l"])
def test_an_interval_of_a_difference_stays_on_the_scale(name: str) -> None:
    metric = kernels.metric(name)
    right, wrong = (metric.statistics([text] * 12, [["a b c d e f"] * 12]) for text in ("a b c d e f", "zzz"))
    baseline, system = np.vstack([wrong[:11], right[:1]]), np.vstack([right[:11], wrong[:1]])
    found = difference(Pair(metric, baseline, system, [f"u{number}" for number in range(12)]), 1, 100)
    assert 0 < found.low <= found.high <= metric.best


def test_holm_of_nothing_is_nothing() -> None:
    assert holm([]) == []


def test_the_standard_error_is_that_of_paired_differences() -> None:
    first, second = coins(1, 300), coins(2, 300, 0.6)
    gained = np.array(second) - np.array(first)
    assert of_shares(first, second, range(300)).error == pytest.approx(gained.std(ddof=1) / math.sqrt(300))


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(0, 14), max_size=50).map(lambda more: [*range(10), *more]),
    st.integers(0, 2**31),
    st.sampled_from([0.0, 0.1, 0.6, 1.0]),
)
def test_the_clustered_standard_error_is_millers(clusters: list[int], seed: int, share: float) -> None:
    first, second = coins(seed, len(clusters)), coins(seed + 1, len(clusters), share)
    names = sorted(set(clusters))
    found = of_shares(first, second, clusters)
    gained = np.array(second) - np.array(first)
    apart = [sum(gained[place] - gained.mean() for place in np.flatnonzero(np.array(clusters) == one)) for one in names]
    small = len(names) / (len(names) - 1)
    assert found.error == pytest.approx(math.sqrt(small * sum(one**2 for one in apart)) / len(clusters), abs=1e-12)
    assert -1 <= found.low <= gained.mean() <= found.high <= 1
    assert found.low < found.high


def test_few_clusters_widen_the_interval_by_students_quantile() -> None:
    first, second = coins(3, 29), coins(4, 29)
    few, enough = of_shares(first, second, range(29)), of_shares([*first, 1], [*second, 1], range(30))
    assert (few.high - few.low) / (enough.high - enough.low) == pytest.approx(
        stats.t.ppf(0.975, 28) / stats.norm.ppf(0.975) * 32 / 31, rel=0.02
    )


def test_the_test_follows_from_how_the_items_hang_together() -> None:
    first, second = coins(1, 60), coins(2, 60, 0.8)
    alone = only(*compare(run("a", answers(first)), [run("b", answers(second))]))
    assert alone.test == "mcnemar_exact"
    gains = [one - other for one, other in zip(second, first, strict=True)]
    assert alone.p == mcnemar(gains.count(-1), gains.count(1))
    together = only(*compare(run("a", answers(first, clusters=12)), [run("b", answers(second, clusters=12))]))
    assert (together.test, together.clusters, together.n) == ("sign_flip_exact", 12, 60)
    assert together.difference == alone.difference
    assert together.p != alone.p


def test_one_answer_counts_only_where_both_have_it() -> None:
    first = answers([1] * 40 + [0] * 10)
    second = answers([1] * 30 + [0] * 25, first=10)
    found = only(*compare(run("a", first), [run("b", second)]))
    assert (found.n, found.baseline_only, found.system_only) == (40, 10, 15)
    assert found.baseline_value == 30 / 40
    assert found.system_value == 30 / 40
    assert found.difference == 0
    assert found.verdict == "not_separable"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"task_version": "2"}, "other_task_version"),
        ({"mode": "loglikelihood"}, "other_mode"),
        ({"prompt_language": "native"}, "other_prompt_language"),
        ({"shots": 5}, "other_shots"),
        ({"signature": "accuracy|version:2"}, "other_signature"),
        ({"data": "changed"}, "other_data"),
        ({"first": 100}, "no_common_items"),
    ],
)
def test_what_was_asked_differently_is_refused_and_says_why(changed: dict[str, Any], reason: str) -> None:
    found = compare(run("a", answers([1] * 30)), [run("b", answers([0] * 30, **changed))])
    assert (only(*found).verdict, only(*found).reasons["verdict"], only(*found).p) == ("not_comparable", reason, None)
    assert [one.scope for one in found] == ["language"]


def test_how_many_references_got_an_answer_is_no_other_signature() -> None:
    first, second = (answers([1] * 30, signature=f"chrF2|nrefs:{one}|nc:6") for one in ("1", "var"))
    assert only(*compare(run("a", first), [run("b", second)])).verdict == "not_separable"


def test_of_two_ways_of_asking_the_one_that_both_have_is_compared() -> None:
    ours = run("a", answers([1] * 30), answers([1] * 30, mode="loglikelihood"))
    theirs = run("b", answers([0] * 30, mode="loglikelihood"), answers([1] * 30, mode="first_token"))
    found = [(one.mode, one.verdict) for one in compare(ours, [theirs]) if one.scope == "language"]
    assert found == [("generate", "not_comparable"), ("loglikelihood", "worse")]


def test_languages_of_one_run_only_are_named() -> None:
    ours = run("a", answers([1] * 30), answers([1] * 30, "hau_Latn"))
    theirs = run("b", answers([1] * 30), answers([1] * 30, "ibo_Latn"))
    found = {one.language: one.reasons.get("verdict") for one in compare(ours, [theirs]) if one.scope == "language"}
    assert found == {"yor_Latn": None, "hau_Latn": "only_in_baseline", "ibo_Latn": "only_in_system"}


@pytest.mark.parametrize(
    ("items", "clusters", "verdict"),
    [(19, 0, "too_few_items"), (20, 0, "better"), (60, 9, "too_few_clusters"), (60, 10, "better")],
)
def test_too_little_to_tell_is_told(items: int, clusters: int, verdict: str) -> None:
    ours, theirs = answers([0] * items, clusters=clusters), answers([1] * items, clusters=clusters)
    found = only(*compare(run("a", ours), [run("b", theirs)]))
    assert (found.verdict, found.difference) == (verdict, 1.0)
    assert (found.p is None) == (found.ci_low is None) == (verdict != "better")
    if verdict != "better":
        assert found.reasons["p"] == found.reasons["ci_low"] == verdict


def test_every_missing_number_has_a_reason() -> None:
    many = [answers(coins(one, 40), language) for one, language in enumerate(("hau_Latn", "ibo_Latn", "yor_Latn"))]
    others = [answers(coins(9, 15), "hau_Latn"), answers(coins(8, 40), "ibo_Latn", mode="first_token")]
    same = [answers(coins(2, 40), "yor_Latn"), answers(coins(8, 40), "zul_Latn", clusters=4)]
    few = answers(coins(7, 40), "zul_Latn", clusters=4)
    found = compare(run("a", *many, few), [run("b", *others, *same), run("c", few)])
    assert {one.verdict for one in found} == {
        *("too_few_items", "not_comparable", "not_separable", "too_few_clusters", None),
    }
    for one in found:
        lacking = {name for name in (*NUMBERS, "language", "verdict") if getattr(one, name) is None}
        assert lacking <= one.reasons.keys(), one
        assert all(one.reasons[name] for name in lacking)


def test_identical_answers_are_not_separable_and_no_certainty() -> None:
    found = only(*compare(run("a", answers(coins(1, 50))), [run("b", answers(coins(1, 50)))]))
    assert (found.verdict, found.p, found.difference, found.standard_error) == ("not_separable", 1.0, 0, 0)
    assert found.minimum_detectable is None
    assert found.reasons == {"minimum_detectable": "no_spread"}
    assert found.ci_low is not None
    assert found.ci_low < 0


def test_holm_counts_every_language_task_and_system_of_the_call() -> None:
    languages = ("hau_Latn", "ibo_Latn", "yor_Latn")
    ours = run("a", *(answers(coins(1, 40), language) for language in languages), answers([1] * 5, "zul_Latn"))
    theirs = [
        run(name, *(answers(coins(seed + one, 40, 0.8), language) for one, language in enumerate(languages)))
        for name, seed in (("b", 10), ("c", 20))
    ]
    theirs[0] = replace(theirs[0], answers=[*theirs[0].answers, answers([1] * 5, "zul_Latn")])
    tested = [one for one in compare(ours, theirs) if one.p is not None]
    assert {one.comparisons for one in tested} == {6}
    assert [one.p_adjusted for one in tested] == multipletests([one.p for one in tested], method="holm")[1].tolist()
    assert len({one.verdict for one in tested}) == 2
    assert all((one.verdict == "better") == ((one.p_adjusted or 0) <= 0.05) for one in tested)


def test_fewer_errors_are_better(monkeypatch: pytest.MonkeyPatch) -> None:
    class Errors(type(ACCURACY)):  # type: ignore[misc]
        higher_is_better = False

    monkeypatch.setattr(kernels, "metric", lambda name: Errors(name, "version:1"))
    found = only(*compare(run("a", answers([1] * 30)), [run("b", answers([0] * 30))]))
    assert (found.verdict, found.difference) == ("better", -1.0)


def test_scores_of_another_shape_are_refused() -> None:
    broken = answers([1] * 30)
    torn = Answers(broken.cell, {item: (facts, (1, 1, 1)) for item, (facts, _) in broken.items.items()})
    with pytest.raises(UsageError, match=r"b.run.db: the scores of quiz are not accuracy's .* rescore"):
        compare(run("a", broken), [run("b", torn)])


def test_a_metric_of_another_program_is_refused() -> None:
    ours, theirs = (run(name, answers([1] * 30, metric="comet")) for name in "ab")
    with pytest.raises(UsageError, match=r"a.run.db is scored by comet, which this program does not know"):
        compare(ours, [theirs])


def texts(seed: int, noise: float, language: str = "yor_Latn") -> Answers:
    """Translations of the same 40 sentences, in documents of two; `noise` is the share of wrong words."""
    drawn = np.random.default_rng(seed)
    references = [[str(one) for one in np.random.default_rng(5).integers(100, 999, 9)] for _ in range(40)]
    written = [" ".join(one if drawn.random() > noise else "?" for one in line) for line in references]
    made = CHRF.statistics(written, [[" ".join(line) for line in references]]).tolist()
    items = {f"{n:03d}": (SampleFacts(f"h{n}", f"d{n // 2}"), tuple(row)) for n, row in enumerate(made)}
    return Answers(replace(CELL, language=language, metric="chrf", signature="chrF2|nrefs:1"), items)


def test_a_corpus_score_is_tested_by_swapping_documents() -> None:
    found = only(*compare(run("a", texts(1, 0.5)), [run("b", texts(2, 0.2))]))
    assert (found.test, found.n, found.clusters, found.verdict) == ("approximate_randomisation", 40, 20, "better")
    assert found.p == pytest.approx(1 / 10_001)
    assert found.baseline_value is not None
    assert found.system_value is not None
    assert found.difference == found.system_value - found.baseline_value
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert 0 < found.ci_low < found.difference < found.ci_high
    same = only(*compare(run("a", texts(1, 0.5)), [run("b", texts(1, 0.5))]))
    assert (same.verdict, same.p, same.ci_low, same.reasons["ci_low"]) == ("not_separable", 1.0, None, "no_spread")


def test_the_same_runs_give_the_same_numbers() -> None:
    assert compare(run("a", texts(1, 0.5)), [run("b", texts(2, 0.4))]) == compare(
        run("a", texts(1, 0.5)), [run("b", texts(2, 0.4))]
    )


def macro(found: Sequence[Comparison]) -> Comparison:
    (one,) = [one for one in found if one.scope == "macro"]
    return one


def width(found: Comparison) -> float:
    assert found.ci_low is not None
    assert found.ci_high is not None
    return found.ci_high - found.ci_low


def test_the_mean_is_over_the_languages_that_all_runs_have() -> None:
    whole = [answers(coins(one, 40), language) for one, language in enumerate(("hau_Latn", "ibo_Latn", "yor_Latn"))]
    better = [answers([1] * 40, language) for language in ("hau_Latn", "ibo_Latn", "yor_Latn")]
    found = compare(run("a", *whole), [run("b", *better), run("c", *better[1:])])
    means = [one for one in found if one.scope == "macro"]
    assert [(one.system, one.languages, one.n) for one in means] == [("b", 2, 80), ("c", 2, 80)]
    wanted = np.mean([one.difference for one in found if one.system == "c" and one.scope == "language" and one.p])
    assert means[0].difference == means[1].difference == pytest.approx(wanted)
    assert means[0].verdict is None
    assert means[0].reasons["verdict"] == "interval_only"


def test_a_language_whose_data_are_flawed_is_compared_and_is_in_no_mean() -> None:
    flaw = {"rank": "zawgyi_text"}
    sides = [
        [answers(coins(seed, 40), "yor_Latn"), answers(coins(seed + 1, 40), "mya_Mymr", reasons=flaw)]
        for seed in (1, 5)
    ]
    found = compare(run("a", *sides[0]), [run("b", *sides[1])])
    assert [one.p is None for one in found] == [False, False, True]
    assert (found[1].language, found[1].reasons["macro"]) == ("mya_Mymr", "zawgyi_text")
    assert (macro(found).languages, macro(found).difference) == (1, found[0].difference)


def test_varieties_of_a_language_are_one_language_in_the_mean() -> None:
    shares = {("por_Latn", ""): (10, 30), ("por_Latn", "BR"): (10, 20), ("deu_Latn", ""): (10, 40)}
    sides = [
        [answers([1] * right[side] + [0] * (40 - right[side]), code, variety=v) for (code, v), right in shares.items()]
        for side in (0, 1)
    ]
    found = macro(compare(run("a", *sides[0]), [run("b", *sides[1])]))
    expected = ((20 + 10) / 2 + 30) / 2 / 40
    assert found.languages == 2
    assert found.difference == pytest.approx(expected)
    assert found.ci_low is not None and found.ci_high is not None
    assert found.ci_low < expected < found.ci_high <= 1


def test_no_language_in_all_runs_means_no_mean() -> None:
    ours = run("a", answers(coins(1, 40), "hau_Latn"), answers(coins(2, 40), "yor_Latn"))
    theirs = [run("b", answers(coins(3, 40), "hau_Latn")), run("c", answers(coins(4, 40), "yor_Latn"))]
    means = [one for one in compare(ours, theirs) if one.scope == "macro"]
    assert [(one.languages, one.difference) for one in means] == [(0, None)] * 2
    assert {one.reasons["difference"] for one in means} == {"no_language_in_all_runs"}


def test_items_that_languages_share_are_drawn_together() -> None:
    """Eight languages that answer alike tell no more than one; eight that answer by themselves do."""
    names = [f"{one}aa_Latn" for one in "bcdefghi"]
    alike = [[answers(coins(seed, 200), name) for name in names] for seed in (1, 2)]
    apart = [[answers(coins(seed + one, 200), n) for one, n in enumerate(names)] for seed in (10, 20)]
    other_items = [
        [answers(coins(seed, 200), name, first=1000 * one) for one, name in enumerate(names)] for seed in (1, 2)
    ]
    single = only(*compare(run("a", alike[0][0]), [run("b", alike[1][0])]))
    together, independent, unshared = (
        macro(compare(run("a", *ours), [run("b", *theirs)])) for ours, theirs in (alike, apart, other_items)
    )
    assert width(together) == pytest.approx(width(single), rel=0.1)
    assert width(independent) == pytest.approx(width(single) / math.sqrt(8), rel=0.15)
    assert (together.clusters, unshared.clusters) == (200, 1600)
    assert width(unshared) == pytest.approx(width(single) / math.sqrt(8), rel=0.15)


def test_a_mean_over_few_clusters_has_no_interval() -> None:
    sides = [[answers(coins(seed, 60), name, clusters=6) for name in ("hau_Latn", "yor_Latn")] for seed in (1, 2)]
    found = macro(compare(run("a", *sides[0]), [run("b", *sides[1])]))
    assert found.difference is not None
    assert (found.ci_low, found.reasons["ci_low"], found.clusters) == (None, "too_few_clusters", 6)


@pytest.mark.parametrize("design", DESIGNS[:6], ids=lambda design: design.name)
def test_of_two_equal_models_neither_is_better(design: Design) -> None:
    """In at most 5 % of simulations any verdict, in half of these `better`; benchmarks/false_positives.py has more."""
    tally = simulate(design, 500)
    assert tally.better + tally.worse <= 500 * 0.05 + 2 * math.sqrt(500 * 0.05 * 0.95)
    assert tally.better <= 500 * 0.025 + 3 * math.sqrt(500 * 0.025 * 0.975)
    assert tally.covered >= 500 * 0.92


@pytest.mark.parametrize("design", DESIGNS[6:], ids=lambda design: design.name)
def test_of_two_equal_translators_neither_is_better(design: Design) -> None:
    tally = simulate(design, 100, trials=500)
    assert tally.better + tally.worse <= 100 * 0.05 + 3 * math.sqrt(100 * 0.05 * 0.95)
    assert tally.covered >= 100 * 0.87


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.name)
def test_a_model_that_is_better_is_found_and_never_called_worse(design: Design) -> None:
    tally = simulate(design, 30, design.effect, trials=300)
    assert tally.better >= 15
    assert tally.worse == 0


def test_in_one_call_with_many_comparisons_a_false_verdict_stays_rare() -> None:
    assert family(DESIGNS[:6] * 2, 150) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 150)


def test_the_least_detectable_difference_is_detected_in_four_of_five_cases() -> None:
    """400 items, answers that differ in 40 % of them: the standard error of the paired difference tells what shows."""
    error = math.sqrt(0.4 / 400)
    effect = DETECTABLE * error
    drawn = np.random.default_rng(8)
    found = 0
    for _ in range(400):
        kind = drawn.choice(3, 400, p=[(0.4 + effect) / 2, (0.4 - effect) / 2, 0.6])
        found += mcnemar(int((kind == 1).sum()), int((kind == 0).sum()), mid_p=True) <= 0.05
    assert 0.74 <= found / 400 <= 0.86


@pytest.mark.parametrize("columns", [80, 120])
def test_the_tables_fit_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    ours = run("a", answers([1] * 1234), answers([0] * 40, "por_Latn", variety="BR"), answers([1] * 9, "zul_Latn"))
    theirs = run("b", answers([0] * 1234), answers([1] * 40, "por_Latn", variety="BR"), answers([0] * 9, "zul_Latn"))
    print_comparisons(compare(ours, [theirs]), "language")
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= columns
    assert all(
        word in " ".join(out.split()) for word in ("por_Latn-BR", "too few items", "-100.0", "<.001", "95 % interval")
    )
