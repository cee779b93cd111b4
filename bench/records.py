"""The nouns of a run: `Request`, `Response`, `Score` and `Cell`. Small, frozen, and without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["generate", "loglikelihood", "first_token"]
Status = Literal["ok", "error", "skipped"]
Finish = Literal["stop", "length", "filter", ""]
Outcome = Literal["scored", "empty", "unparsed", "refused", "truncated"]


class BenchError(Exception):
    """Something the user can mend. The message is one line that says what is wrong and what would be right."""


class UsageError(BenchError):
    """A wrong argument or bad input: exit code 2."""


@dataclass(frozen=True, slots=True)
class Request:
    """A sample turned into the exact prompt and decoding limits for one model.

    `prompt` is what a language model sees. In the modes `loglikelihood` and `first_token` each of `continuations` is
    scored after it; in `generate` there are none. A backend with the capability `raw` reads `input` (the sample's own
    text) and `options` instead. `options` stand in the order in which they are shown, `rotation` places further on than
    in the data. `prompt_language` and `shots` say how it was asked; `repeat` counts, from 0, how often the very same
    was asked before. `exact` is asked for measurements only: the answer runs to `max_tokens`, whatever the model would
    end it at. `id` is the hash of everything that could change the answer.
    """

    id: str
    sample: str
    task: str
    language: str
    variety: str
    mode: Mode
    prompt: str
    continuations: tuple[str, ...]
    max_tokens: int
    stop: tuple[str, ...]
    input: str
    options: tuple[str, ...]
    prompt_language: str = "english"
    shots: int = 0
    rotation: int = 0
    repeat: int = 0
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """What the model answered to one request.

    `loglikelihoods` holds one natural-log probability per continuation. `text` is the answer, `reasoning` what the
    model thought before it, where the two can be told apart. Token counts are None where the backend does not know
    them: `output_tokens` has the `reasoning_tokens` in it, `prompt_tokens` the `cached_tokens`, which some providers
    sell for less. `reason` says why a response was skipped or failed. `seconds` is this request's share of the time
    that its batch took. `attempts` is how often it was sent until this came back.
    """

    request: str
    status: Status
    text: str = ""
    loglikelihoods: tuple[float, ...] = ()
    finish: Finish = ""
    reason: str = ""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    seconds: float | None = None
    reasoning: str = ""
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Score:
    """One metric's sufficient statistics for one response.

    `statistics` are integers whose sums over responses determine the metric's value; see `kernels` for their order.
    """

    request: str
    metric: str
    outcome: Outcome
    statistics: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """The scores of one model on one task in one language, summed up.

    `value` is in the metric's own unit (accuracy and exact match 0 to 1; chrF and BLEU 0 to 100); `normalised` is
    (value - chance) / (best - chance). What is missing is None, and `reasons` maps the field's name to a reason code.
    `worst` and `best` bound a share of right answers where errors left items without one; a corpus score has no bounds.

    Of generated answers: `wrong_script` is the share that is not in the wanted script, of those with letters enough
    (`script_verdicts`); `wrong_language` the share with a line in another language, of those that are long enough for a
    verdict (`language_verdicts`); `word_pass` the share of the others without stray words; `identifier_recall` is how
    well the identifier knows this language. `native_digits` and `other_digits` count answers by the digits that
    they write. Of hard rules: `violations`, and the exact 95 % upper bound of their share. `position_bias` is the
    standard deviation of the recall over the places in which the right option stood.

    With `repeats`, every item was asked so often: `n` still counts items, the value is over all answers, and
    `repeat_deviation` is the standard deviation of the values that single repeats came to. `unfinished` answers
    were cut off before they said anything that counts; of the `errors`, so many were `unasked` or under way at the
    end. `cost` is what the answers cost in `currency`, and `cost_per_correct` that for each right one.

    Energy is of one `energy_scope`, and comparable within one `energy_setup` only (device, power limit, engine, dtype,
    concurrency, scope); `energy_provenance` is `measured`, `attributed` or `none`. `joules_per_request`, with its
    interval over `energy_windows` repeats, is what an answer takes while as many requests are under way as the setup
    says. `output_tokens_per_joule` is the same number as tokens per second per watt; divided by `premium`, the
    tokenizer premium of the language, it is `english_equivalent_tokens_per_joule`. `joules_per_correct` has the
    interval of both its parts. `quality_per_kilojoule` is `normalised` over the kilojoules of a request.
    `language_energy_ratio` is the joules per request over those of English on parallel prompts: `premium` x
    `verbosity` x `joules_per_token_ratio`.
    """

    model: str
    task: str
    task_version: str
    language: str
    variety: str
    vertical: str
    area: str
    metric: str
    signature: str
    value: float | None
    normalised: float | None
    chance: float | None
    n: int
    ci_low: float | None
    ci_high: float | None
    mode: str
    prompt_language: str
    shots: int
    errors: int
    truncated: int
    unparsed: int
    wrong_language: float | None
    output_tokens: int | None
    output_tokens_per_joule: float | None
    energy_scope: str | None
    energy_provenance: str
    worst: float | None = None
    best: float | None = None
    skipped: int = 0
    empty: int = 0
    refused: int = 0
    headline: bool = True
    floor: bool = False
    script_verdicts: int | None = None
    wrong_script: float | None = None
    language_verdicts: int | None = None
    word_pass: float | None = None
    identifier_recall: float | None = None
    native_digits: int | None = None
    other_digits: int | None = None
    violations: int | None = None
    violation_bound: float | None = None
    position_bias: float | None = None
    repeats: int = 1
    repeat_deviation: float | None = None
    unfinished: int = 0
    unasked: int = 0
    reasoning_tokens: int | None = None
    cost: float | None = None
    currency: str = ""
    cost_per_correct: float | None = None
    energy_setup: str = ""
    energy_windows: int = 0
    joules_per_request: float | None = None
    joules_per_request_low: float | None = None
    joules_per_request_high: float | None = None
    joules_per_correct: float | None = None
    joules_per_correct_low: float | None = None
    joules_per_correct_high: float | None = None
    joules_per_1000_words: float | None = None
    english_equivalent_tokens_per_joule: float | None = None
    quality_per_kilojoule: float | None = None
    language_energy_ratio: float | None = None
    premium: float | None = None
    verbosity: float | None = None
    joules_per_token_ratio: float | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
