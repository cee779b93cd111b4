"""Counts in words, for lines that people read."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """A count with its noun, in the singular where it is one; the plural is the noun with an s unless told."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
