"""What a model reads to score continuations: a context once, and a tree of the tokens that come after it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """One continuation to score: whose it is, which of its options, and the tokens."""

    owner: int
    option: int
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Tree:
    """A context and the continuations that are scored after it, beginnings that they share held once.

    Node 0 is the context's last token. Each other node is a token with the node before it (`parents`) and its distance
    from node 0 (`depths`). `paths` has, for each target, the nodes that predict its tokens.
    """

    context: Tokens
    tokens: list[int]
    parents: list[int] = field(default_factory=lambda: [0])
    depths: list[int] = field(default_factory=lambda: [0])
    targets: list[Target] = field(default_factory=list)
    paths: list[list[int]] = field(default_factory=list)

    def passage(self) -> Passage | None:
        """The same as one sequence, where the tree has a single branch."""
        if any(parent != node for node, parent in enumerate(self.parents[1:])):
            return None
        return Passage((*self.context, *self.tokens[1:]), self.targets, [len(self.context) - 1] * len(self.targets))


@dataclass(frozen=True, slots=True)
class Passage:
    """A sequence that a model reads, the targets read off it, and the column that predicts the first token of each."""

    read: Tokens
    targets: list[Target] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)


def trees(context: Tokens, targets: Sequence[Target], most: int) -> Iterator[Tree]:
    """The targets as trees of at most `most` nodes, unless a single target has more: nearly always one tree."""
    tree, children = _planted(context)
    for target in targets:
        # The last token is only predicted, never read.
        if len(tree.tokens) > 1 and len(tree.tokens) + len(target.tokens) - 1 > most:
            yield tree
            tree, children = _planted(context)
        at, path = 0, []
        for token in target.tokens[:-1]:
            path.append(at)
            if (at, token) not in children:
                children[at, token] = len(tree.tokens)
                tree.tokens.append(token)
                tree.parents.append(at)
                tree.depths.append(len(path))
            at = children[at, token]
        tree.targets.append(target)
        tree.paths.append([*path, at])
    yield tree


def passages(grown: Sequence[Tree]) -> list[Passage]:
    """The same as sequences; continuations that differ in their last token only share theirs."""
    made: dict[Tokens, Passage] = {}
    for tree in grown:
        for target in tree.targets:
            read = (*tree.context, *target.tokens[:-1])
            if read not in made:
                made[read] = Passage(read)
            made[read].targets.append(target)
            made[read].starts.append(len(tree.context) - 1)
    return list(made.values())


def _planted(context: Tokens) -> tuple[Tree, dict[tuple[int, int], int]]:
    return Tree(context, [context[-1]]), {}
