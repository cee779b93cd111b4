"""Text that breaks scorers: all white space, joiners, combining marks, astral planes, lone surrogates, RTL."""

from __future__ import annotations

import random

from hypothesis import strategies as st

References = list[list[str | None]]
Corpus = tuple[list[str], References]

WHITE = "".join(chr(code) for code in range(0x110000) if chr(code).isspace()) + "\u200b\ufeff\u180e"
PUNCTUATION = ".,-!?'\"()&;<>/%$።،؟۔।॥་།。、「」“”«»—€→"
LETTERS = "aAbß1٣ée\u0301İıςሀለမြန်中国𠀀🧬👩\u200d👩\u200d👧\u200fאب\u202e\ud800\udc00\udfff"
PIECES = (
    "<skipped>", "-\n", "&quot;", "&amp;", "&lt;", "&gt;", "1,000.5", "..", "a.b", "9-", "the cat", "ጤና ይስጥልኝ።", "(hi)",
)  # fmt: skip

segments = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.text(st.sampled_from(LETTERS + PUNCTUATION + WHITE), max_size=8),
        st.text(st.characters(), max_size=4),
        st.sampled_from([" "]),
    ),
    max_size=8,
).map("".join)


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    """Hypotheses, each often near a reference, and one to three streams; each segment has a reference at least."""
    size = draw(st.integers(1, 4))
    first = draw(st.lists(segments, min_size=size, max_size=size))
    others = draw(st.lists(st.lists(st.none() | segments, min_size=size, max_size=size), max_size=2))
    near = [st.one_of(segments, st.just(text), segments.map(text.__add__)) for text in first]
    hypotheses = [draw(one) for one in near]
    return hypotheses, draw(st.permutations([[*first], *others]))


def pairs(count: int, seed: int) -> tuple[list[str], list[str]]:
    """So many hostile pairs at once, faster than hypothesis makes them; about half are alike."""
    drawn = random.Random(seed)
    alphabets = (LETTERS + PUNCTUATION + WHITE, "ab ", "abcdefgh .,", "中国人民的一是不了在有和", "ሀለመ ።", LETTERS)
    references, hypotheses = [], []
    for _ in range(count):
        alphabet = drawn.choice(alphabets)
        text = [drawn.choice(alphabet) for _ in range(drawn.choice((0, 1, 2, 5, 9, 20, 60)))]
        if drawn.random() < 0.02:
            text += [chr(0x4E00 + drawn.randrange(2500)) for _ in range(1500)]  # more symbols than a key can tell apart
        references.append("".join(text))
        for _ in range(drawn.choice((0, 0, 1, 3, 10))):
            text.insert(drawn.randrange(len(text) + 1), drawn.choice(alphabet))
        hypotheses.append("".join(text) if drawn.random() < 0.8 else "".join(drawn.choices(alphabet, k=12)))
    return hypotheses, references
