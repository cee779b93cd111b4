"""Which windows are measured, and in which order."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bench.energy.options import Options
from bench.energy.records import Reading, Stretch, Subject, Window, Work
from bench.energy.schedule import Slot, drifts, is_valid, schedule, seconds_needed, settled

ENGLISH = Subject("t@1", "eng_Latn", "", "generate", "english", 0)
YORUBA, THAI = replace(ENGLISH, language="yor_Latn"), replace(ENGLISH, language="tha_Thai")
CONTROL = Subject("", "yor_Latn", "", "generate")
STRETCH = Stretch(Reading(30.0, 3000.0), Work(10, 100, 1000))


def window(slot: Slot, number: int = 0, reasons: tuple[str, ...] = ()) -> Window:
    return Window(
        kind=slot.kind,
        subject=slot.subject,
        repeat=slot.repeat,
        number=number,
        setup="s",
        scope="gpu_board",
        method="counter",
        started="",
        concurrency=8,
        reached=8.0,
        steady=STRETCH,
        whole=STRETCH,
        reasons=reasons,
    )


def test_every_subject_has_its_repeats_and_sentinels_stand_around_them() -> None:
    slots = schedule([ENGLISH, YORUBA, THAI], ENGLISH, [CONTROL], Options(repeats=3, sentinel_every=4), [])
    assert slots[0].kind == slots[-1].kind == "sentinel"
    for subject, kind in ((YORUBA, "isolated"), (THAI, "isolated"), (CONTROL, "control")):
        assert sorted(slot.repeat for slot in slots if (slot.subject, slot.kind) == (subject, kind)) == [0, 1, 2]
    places = [place for place, slot in enumerate(slots) if slot.kind == "sentinel"]
    assert all(later - earlier <= 5 for earlier, later in pairwise(places))
    # English has its repeats as the sentinel, and none besides.
    assert not any(slot.subject == ENGLISH and slot.kind != "sentinel" for slot in slots)
    assert [slot.repeat for slot in slots if slot.kind == "sentinel"] == list(range(len(places)))


@given(st.integers(0, 40), st.integers(1, 6), st.integers(1, 9), st.integers(0, 5))
def test_no_window_is_ever_far_from_a_sentinel(languages: int, repeats: int, every: int, seed: int) -> None:
    subjects = [replace(ENGLISH, language=f"x{number:02d}_Latn") for number in range(languages)]
    options = Options(repeats=repeats, sentinel_every=every, seed=seed)
    slots = schedule([ENGLISH, *subjects], ENGLISH, [], options, [])
    assert sum(slot.kind == "isolated" for slot in slots) == languages * repeats
    assert sum(slot.kind == "sentinel" for slot in slots) >= repeats
    since = 0
    for slot in slots:
        since = 0 if slot.kind == "sentinel" else since + 1
        assert since <= every + 1
    assert slots[0].kind == slots[-1].kind == "sentinel"


def test_the_order_is_random_and_the_same_for_the_same_seed() -> None:
    subjects = [replace(ENGLISH, language=f"x{number:02d}_Latn") for number in range(9)]
    made = [schedule(subjects, ENGLISH, [], Options(seed=seed), []) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    ordered = [slot.subject for slot in made[0] if slot.kind != "sentinel"]
    assert ordered != sorted(ordered, key=lambda subject: subject.language)


def test_what_is_measured_is_not_measured_again_and_what_failed_is() -> None:
    options = Options(repeats=2)
    slots = schedule([YORUBA], ENGLISH, [], options, [])
    done = [window(slot, number) for number, slot in enumerate(slots)]
    assert schedule([YORUBA], ENGLISH, [], options, done) == []
    place = next(place for place, slot in enumerate(slots) if slot.subject == YORUBA)
    done[place] = replace(done[place], reasons=("throttled",))
    again = schedule([YORUBA], ENGLISH, [], options, done)
    assert [slot for slot in again if slot.kind == "isolated"] == [slots[place]]
    assert again[0].kind == again[-1].kind == "sentinel"
    assert {slot.repeat for slot in again if slot.kind == "sentinel"}.isdisjoint(
        slot.repeat for slot in slots if slot.kind == "sentinel"
    )


def test_a_window_without_joules_or_with_a_fatal_reason_is_not_valid() -> None:
    good = window(Slot("isolated", YORUBA, 0))
    assert is_valid(good)
    assert is_valid(replace(good, reasons=("runaway", "batch_unverified")))
    assert not is_valid(replace(good, reasons=("power_implausible: 900 W",)))
    assert not is_valid(replace(good, steady=None))
    assert not is_valid(replace(good, steady=Stretch(Reading(30.0, None, ("gpu_lost",)), STRETCH.work)))


def test_how_long_it_takes_counts_every_window() -> None:
    options = Options(seconds=60, warmup=10)
    slots = schedule([YORUBA, THAI], ENGLISH, [], options, [])
    assert seconds_needed(slots, options) >= 10 + 60 * len(slots)
    assert seconds_needed([], options) == 0


def test_windows_between_sentinels_that_drifted_are_measured_again() -> None:
    options = Options(repeats=2)
    slots = schedule([YORUBA], ENGLISH, [], options, [])
    done = [window(slot, number) for number, slot in enumerate(slots)]
    assert settled(done) == done
    warmer = Stretch(Reading(30.0, 3300.0), STRETCH.work)
    drifted = [*done[:-1], replace(done[-1], steady=warmer)]
    again = schedule([YORUBA], ENGLISH, [], options, settled(drifted))
    assert [slot.subject for slot in again].count(YORUBA) == len([slot for slot in slots if slot.kind == "isolated"])


def test_sentinels_of_other_questions_are_not_compared() -> None:
    slots = schedule([YORUBA], ENGLISH, [], Options(repeats=1), [])
    done = [window(slot, number) for number, slot in enumerate(slots)]
    other = replace(done[-1], subject=replace(ENGLISH, task="u@1"), steady=Stretch(Reading(30.0, 9000.0), STRETCH.work))
    assert set(drifts([*done[:-1], other]).values()) == {"no_sentinel"}
    assert drifts(done) == {}
