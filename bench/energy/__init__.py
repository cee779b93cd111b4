"""Energy: meters, windows of measured time, checks on them, and what a language costs. Missing is null, never zero."""
