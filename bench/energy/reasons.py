"""Why an energy figure is missing or not ranked: every reason code, and what it means for a reader.

A code may be followed by ": detail". `FATAL` codes take a window's energy away; `UNRANKED` ones leave the figure and
keep it out of rankings; `NOTES` say something of how it was measured.
"""

from __future__ import annotations

FATAL = {
    "no_meter": "nothing on this machine counts energy",
    "no_driver": "the GPU's driver or its management library is not there",
    "no_permission": "reading the GPU's energy is not permitted here",
    "no_gpu": "the driver shows no GPU, or not the one that was asked for",
    "nvml_failed": "the GPU's management library failed",
    "mig_enabled": "the GPU is cut into slices (MIG), and energy is counted for the whole only",
    "shared_gpu": "another process was on the GPU",
    "counter_reset": "the energy counter went backwards",
    "counter_stuck": "the energy counter did not move",
    "counter_disagrees": "the energy counter and the power readings are more than 5 % apart",
    "gpu_lost": "the GPU was lost",
    "power_implausible": "the mean power is not one that this device can have",
    "throttled": "the GPU was slowed down by heat or by its power supply",
    "rapl_absent": "this machine shows no energy counter of its processor",
    "rapl_denied": "reading the processor's energy counter takes permission",
    "rapl_read_failed": "the processor's energy counter could not be read",
    "amd_absent": "AMD's management library or an AMD GPU is not there",
    "amd_counter_implausible": "the AMD GPU's energy counter does not fit its power",
    "external_absent": "the external meter's file or server is not there",
    "external_unreadable": "the external meter's readings cannot be understood",
    "clock_stepped": "this machine's clock was set while an external meter was read",
    "sample_gap": "more than 3 seconds without a power reading",
    "not_bracketed": "no power reading before the beginning or after the end",
    "window_short": "the steady stretch was shorter than 20 seconds",
    "no_steady": "the model never had as many requests under way as asked for",
    "batch_underfilled": "on average under 85 % of the requests asked for were under way",
    "requests_failed": "requests failed while energy was measured",
    "engine_restarted": "the engine began to count anew",
    "interrupted": "measuring ended before its time",
}

UNRANKED = {
    "drift": "the sentinels beside it drifted by more than 3 %",
    "repeats_vary": "repeats differ by more than 5 %",
    "too_few_repeats": "fewer than 3 valid windows",
    "no_sentinel": "no valid sentinel window on either side of it",
    "runaway": "more than 20 % of the answers ran into the length limit",
    "not_on_device": "the model computes on another device than the one that was measured",
    "prompts_cached": "more than 10 % of the prompts were read from a cache, and cost next to nothing",
    "batch_unverified": "the engine does not say how many requests it computes at a time",
    "attributed": "attributed from mixed windows, not measured apart",
    "external_meter": "read by an outside meter, whose word is taken",
    "not_validated": "the attribution was not checked on isolated windows",
    "attribution_poor": "the attribution misses isolated windows by more than 10 %",
}

MISSING = {
    "not_measured": "not measured",
    "not_measurable": "a service's energy cannot be measured from outside",
    "nothing_computed": "the answers are rules or were made elsewhere, so that no model took energy for them",
    "no_answers": "the model answered nothing that could be measured",
    "no_valid_window": "no window passed its checks",
    "no_output_tokens": "no text was generated",
    "tokens_unknown": "the model does not say how many tokens it made",
    "none_correct": "no answer was right, so there is none to divide by",
    "not_above_chance": "not above chance, so that a right answer means nothing",
    "corpus_metric": "this metric has no right and wrong answers",
    "no_normalised": "this metric has no scale from chance to best",
    "below_chance": "the quality is not above chance",
    "no_word_breaks": "this script does not part words by spaces",
    "no_words": "no words were written",
    "no_premium": "the tokenizer premium of this language is not known",
    "no_english": "the task has no English to compare with",
    "english_doubtful": "the windows in English are not to be trusted",
    "not_parallel": "the task's questions are not those that English was asked",
    "answer_elsewhere": "the answers are no texts in this language, so its premium does not explain their length",
    "is_english": "this is the English that others are compared with",
    "phase_split_negative": "the share of the prompt came out negative",
    "no_quality": "there is no score",
    "lengths_differ": "prompts or answers were not of one length in all languages",
    "attribution_unfitted": "too few windows, or too much alike, to tell what each part of the work takes",
}

NOTES = {
    "counter_unsupported": "no energy counter: power was added up over time",
    "module_scope": "the module with its processor was measured, not the GPU board alone",
    "power_capped": "the GPU ran at its power limit",
    "slow_meter": "the meter is read less often than every 3 seconds",
    "processes_unseen": "which processes are on the GPU cannot be seen here",
    "throttling_unseen": "whether the GPU was slowed down cannot be seen here",
}

MEANINGS = {**FATAL, **UNRANKED, **MISSING, **NOTES}


def meaning(code: str) -> str:
    """A code in words, with its detail if it has one; a code that nobody knows as it stands."""
    bare, colon, detail = code.partition(":")
    said = MEANINGS.get(bare, bare.replace("_", " "))
    return f"{said} ({detail.strip()})" if colon else said
