"""The tokenizer premium of the model of a run, in the run's languages, from whichever parallel texts are here."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bench.backend import Model, ModelStopped, Tokenizing
from bench.premium import texts
from bench.premium.premium import premiums
from bench.premium.records import Premiums
from bench.premium.tokenizers import of_model
from bench.records import UsageError
from bench.watch import Watch, unwatched


def premiums_of(
    model: Model, places: Iterable[tuple[str, str]], datasets: Collection[str], watch: Watch = unwatched
) -> list[Premiums]:
    """(language, variety) -> one `Premiums` for each corpus that was needed, the first corpus that has a language.

    Empty for a model that does not show its tokenizer; a language that no corpus here has is left out. Nothing is
    downloaded for it: without a data folder only corpora of these datasets are read, which the run has already.
    """
    if not isinstance(model, Tokenizing):
        return []
    tokenizer, made = of_model(model), []
    left = dict.fromkeys(places)
    for corpus in texts.at_hand(datasets):
        chosen = [one for one in corpus.varieties if (one.language, one.variety) in left and not one.flaw]
        if not chosen:
            continue
        try:
            made.append(premiums(tokenizer, corpus, tuple(chosen), watch))
        except (UsageError, ModelStopped):  # not here, or no tokenizer after all: the premium is null, with its reason
            continue
        for one in chosen:
            left.pop((one.language, one.variety))
    return made
