"""The harness: `python -m bench`."""
