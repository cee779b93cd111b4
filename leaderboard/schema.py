"""What a snapshot's database looks like: its format number, its tables, its views and its indexes.

The tables that are derived from the cells say their own columns, in `leaderboard.derived`.
"""

from __future__ import annotations

from bench.premium.records import Premium
from leaderboard import rows
from leaderboard.records import Tokenizer

APPLICATION_ID = 0x424F5244  # "BORD"
FORMAT = 5
"""Raised with every change of what the tables hold: a program reads snapshots of its own format alone."""

META = "key TEXT PRIMARY KEY, value TEXT NOT NULL"

TASKS = (
    "name TEXT NOT NULL, version TEXT NOT NULL, floor INTEGER NOT NULL, facts TEXT NOT NULL,"
    " PRIMARY KEY (name, version)"
)

ITEMS = (
    "task TEXT NOT NULL, version TEXT NOT NULL, language TEXT NOT NULL, variety TEXT NOT NULL,"
    " count INTEGER NOT NULL, items BLOB NOT NULL, digests BLOB NOT NULL, clusters BLOB NOT NULL,"
    " PRIMARY KEY (task, version, language, variety)"
)

TOKENIZERS = f"id INTEGER PRIMARY KEY, {rows.columns(Tokenizer)}"
PREMIUMS = f"tokenizer_id INTEGER NOT NULL, {rows.columns(Premium)}"

MODELS = (
    "id INTEGER PRIMARY KEY, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL, revision TEXT NOT NULL,"
    " template TEXT NOT NULL, decoding TEXT NOT NULL, baseline INTEGER NOT NULL, runs TEXT NOT NULL,"
    " facts TEXT NOT NULL, cells INTEGER NOT NULL, digest TEXT NOT NULL"
)

RESULTS = f"model_id INTEGER NOT NULL, id INTEGER PRIMARY KEY, {rows.cell_columns()}"

TEXTS = "id INTEGER PRIMARY KEY, text TEXT NOT NULL"
"""What many cells have in common, once: `results.shared` names a row of it."""

SCORES = (
    "model_id INTEGER NOT NULL, task TEXT NOT NULL, version TEXT NOT NULL, metric TEXT NOT NULL, mode TEXT NOT NULL,"
    " prompt_language TEXT NOT NULL, shots INTEGER NOT NULL, width INTEGER NOT NULL, kind TEXT NOT NULL,"
    " places BLOB NOT NULL, statistics BLOB NOT NULL,"
    " PRIMARY KEY (model_id, task, version, metric, mode, prompt_language, shots)"
)

VIEWS = (
    # LEFT JOIN keeps the planner from starting anywhere else than at the results, and costs nothing where unused.
    "CREATE VIEW cells AS SELECT results.model_id, results.id, models.name AS model, "  # noqa: S608 - own names
    + ", ".join(f"results.{name}" for name in rows.LOGICAL[:-1])
    + ", texts.text AS shared FROM results LEFT JOIN models ON models.id = results.model_id"
    " LEFT JOIN texts ON texts.id = results.shared",
)

INDEXES = (
    "CREATE INDEX results_by_language ON results (language, task, headline, value DESC)",
    "CREATE INDEX results_by_model ON results (model_id, task)",
    "CREATE INDEX results_by_task ON results (task, task_version, language, variety, model_id) WHERE headline",
    "CREATE INDEX results_with_energy ON results (language, task) WHERE headline AND energy_provenance != 'none'",
    "CREATE INDEX energy_ranks_by_cell ON energy_ranks (cell)",
    "CREATE INDEX means_by_task ON means (task)",
    "CREATE INDEX without_energy_by_model ON without_energy (model_id)",
    "CREATE INDEX premiums_by_language ON premiums (language)",
)
