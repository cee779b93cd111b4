"""Declarations: what each key does, and every way in which one can be wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kernels
import languages
import tasks
from tasks.declaration import DeclarationError, load
from tasks.declaration_checks import METRICS, TEXT_METRICS, inside
from tasks.hub import Hub
from tasks.records import DataError
from tasks.sources import Files
from tests.hostile import segments
from tests.tasks.declaring import CHOICE, YORUBA, check_line, declare, put, put_rows

ROWS = [
    {"id": "q1", "question": "Why?", "a": "so", "b": "not so", "answer": "A"},
    {"id": "q2", "question": "When?", "a": "now", "b": "then", "answer": "B"},
]


def refusal(folder: Path, text: str = CHOICE, **replaced: str) -> str:
    with pytest.raises(DeclarationError) as caught:
        declare(folder, text, **replaced)
    message = str(caught.value)
    assert "\n" not in message
    assert "tiny.toml" in message
    return message


def test_a_small_declaration(tmp_path: Path) -> None:
    (task,) = declare(tmp_path)
    put_rows(tmp_path / "yo.jsonl", ROWS)
    assert [(one.code, one.language) for one in task.varieties] == [("yo", "yor_Latn"), ("ha", "hau_Latn")]
    assert (task.metrics, task.max_tokens, task.answer_language, task.access) == (("accuracy",), 16, "own", "open")
    assert (task.vertical, task.group, task.licence, task.floor) == ("", "", "unknown", False)
    assert [(one.id, one.answer) for one in task.samples(task.varieties[0])] == [
        ("tiny@1/yor_Latn//q1", 0),
        ("tiny@1/yor_Latn//q2", 1),
    ]
    assert task.source.splits == ("test",)
    assert not task.source.is_locked("yo.jsonl")
    with pytest.raises(DataError, match=r"no file ha\.jsonl beside the declaration of tiny-set"):
        list(task.samples(task.varieties[1]))


def test_several_tasks_share_keys_and_merge_tables(tmp_path: Path) -> None:
    shared = CHOICE.replace('name = "tiny"', "").replace('area = "knowledge"', "")
    one, other = declare(
        tmp_path,
        shared
        + """
[[task]]
name = "one"
area = "knowledge"
source = { where = { subject = "law" } }
[[task]]
name = "other"
area = "legal"
languages = ["ha"]
sample = { shuffle = true, fields = { question = "{question} {more}" } }
""",
    )
    assert (one.vertical, other.vertical) == ("", "legal")
    assert isinstance(one.source, Files) and isinstance(other.source, Files)
    assert one.source.files == other.source.files
    assert (dict(one.source.selection.where), dict(other.source.selection.where)) == ({"subject": ("law",)}, {})
    assert [len(task.varieties) for task in (one, other)] == [2, 1]
    assert (one.sample.shuffle, other.sample.shuffle) == (False, True)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "missing required field"),
        (b"name = ", "is no TOML: "),
        (b"name = 'a'\nname = 'b'", "is no TOML: "),
        (b"\xff\xfe", "is no TOML: "),
        (b"name = 'a\x00'", "is no TOML: "),
        (b"a = " + b"[" * 20_000, "is no TOML: "),
        (b"task = 'x'", "unknown field `task`|missing required field|Object contains"),
        (b"task = []", "Object contains|unknown|missing"),
        (b"task = [1, 2]", "Object contains|unknown|missing"),
        (b"[task]\nname = 'x'", "Object contains|unknown|missing"),
    ],
)
def test_what_is_no_declaration(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(DeclarationError, match=said) as caught:
        load(put(tmp_path / "tiny.toml", content))
    assert "\n" not in str(caught.value)
    assert "tiny.toml" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(DeclarationError, match="No such file|Is a directory"):
            load(path)


@pytest.mark.parametrize(
    ("key", "line", "said"),
    [
        ("name", 'name = "Tiny Task"', "name"),
        ("name", 'name = "tiny\\n"', "name"),
        ("name", 'name = ""', "name"),
        ("name", "name = 7", "Expected `str`, got `int` - at `$.name`"),
        ("name", 'name = "../up"', "name"),
        ("name", f'name = "{"x" * 61}"', "name"),
        ("dataset", 'dataset = "../up"', "dataset"),
        ("title", 'title = ""', "title"),
        ("title", "", "missing required field `title`"),
        ("area", 'area = "cooking"', "Invalid enum value 'cooking' - at `$.area`"),
        ("kind", 'kind = "essay"', "Invalid enum value 'essay' - at `$.kind`"),
        ("prompt", 'prompt = "no-such"', "no prompt is called 'no-such'; there are choice, "),
        ("prompt", 'prompt = "choice-context"', "[prompt]: the text names {context}; the sample has question"),
        ("prompt", "prompt = 1", "Expected `str | object`, got `int`"),
        ("prompt", 'prompt = { text = "" }', "prompt.text"),
        ("prompt", 'prompt = { text = "Say it" }', "[prompt]: the field 'question' does not reach the text"),
        ("prompt", 'prompt = { text = "{question} {more}" }', "the text names {more}"),
        ("prompt", 'prompt = { text = "{question" }', "expected '}' before end of string"),
        ("prompt", 'prompt = { text = "{question.__class__}" }', "the text names {question.__class__}"),
        ("prompt", 'prompt = { text = "{question} {}" }', "the text names {}"),
        ("prompt", 'prompt = { text = "{question}", words = "x" }', "unknown field `words`"),
        ("prompt", 'prompt = { text = "{question}", native = { yo = { words = "x" } } }', "[prompt.native.yo]: "),
        ("prompt", 'prompt = { text = "{question}", native = { yo = { text = "x" } } }', "does not reach the text"),
        ("prompt", 'prompt = { text = "{question}", native = { zzz9 = { text = "{question}" } } }', "zzz9"),
        ("languages", 'languages = ["yo", "zzz9"]', "zzz9"),
        ("languages", 'languages = ["yo", "yor_Latn"]', "'yo' and 'yor_Latn' are one language, yor_Latn"),
        ("languages", 'languages = ["sr"]', "sr"),
        ("languages", "languages = []", "`languages` should name the languages"),
        ("languages", "", "`languages` should name the languages"),
        ("languages", 'languages = "yo"', "Expected `array`, got `str`"),
        ("languages", 'languages = ["yo"]\nexclude = { yo = "why" }', "no language is left"),
        ("languages", 'languages = ["yo"]\nexclude = { ha = "why" }', "`exclude` names the code 'ha'"),
        ("languages", 'languages = ["yo"]\nflaws = { yoo = "damaged_text" }', "`flaws` names the code 'yoo'"),
        ("languages", 'languages = ["yo"]\nitems = { yoo = 7 }', "`items` names the code 'yoo'"),
        ("languages", 'languages = ["yo"]\norigins = { native = ["x"] }', "`origins` names the code 'x'"),
        ("languages", 'languages = ["yo"]\norigins = { dreamt = ["yo"] }', "no origin is called 'dreamt'"),
        ("extra", "metric = 'accuracy'", "unknown field `metric`"),
        ("extra", "metrics = ['bleu']", "a choice is not scored by 'bleu'; known are accuracy"),
        ("extra", "metrics = ['accuracy', 'accuracy']", "`metrics` names one twice"),
        ("extra", "origin = 'dreamt'", "Invalid enum value 'dreamt'"),
        ("extra", "access = 'closed'", "Invalid enum value 'closed'"),
        ("extra", "vertical = 'cooking'", "Invalid enum value 'cooking'"),
        ("extra", "chance = 1.0", "`chance` lies from 0 up to 1"),
        ("extra", "chance = -0.1", "`chance` lies from 0 up to 1"),
        ("extra", "chance = nan", "`chance` lies from 0 up to 1"),
        ("extra", "chance = '0.5'", "Expected `float | null`, got `str`"),
        ("extra", "held_out = -1", "`held_out` is the number"),
        ("extra", "held_out = true", "Expected `int`, got `bool`"),
        ("extra", "max_tokens = 0", "`max_tokens` is 1 at least"),
        ("extra", "items = 'many'", "Expected `int | object`"),
        ("format", 'format = "docx"', "[source] format is 'docx'; known are parallel, tsv"),
        ("format", 'format = "parallel"', "format 'parallel' where a split is a table"),
        ("format", "", "[source] format is ''"),
        ("test", "", "[source] needs `test`"),
        ("test", "test = []", "[source] needs `test`"),
        ("test", 'test = { a = "x" }', "format 'parallel' where a split is a table"),
        ("test", "test = 7", "test"),
        ("test", 'test = "x"\nsplit = "y"', "unknown field `split`"),
        ("test", 'test = "x"\ntrain = "y"\n[sample]\nkind = 1', "is no TOML"),
        ("test", 'test = "x"\nkind = "zip"', "Invalid enum value 'zip'"),
        ("test", 'test = "x"\nkind = "hub"', "[source] of kind hub needs `repository`"),
        ("test", 'test = "x"\nkind = "files"\nrepository = "o/n"', "[source] of kind files needs `commit`"),
        ("test", 'test = "x"\nrepository = "o/n"', "[source] names a repository"),
        ("test", 'test = "x"\nwhere = { m = { k = "x" } }', "a column inside another is written in quotes"),
        ("test", 'test = "x"\njoin = { by = "id", columns = {} }', "[source] join needs `path`"),
        ("test", 'test = "x"\njoin = { columns = {}, path = "y" }', "missing required field `by`"),
        ("test", 'test = "x"\nelsewhere = { xx = "y" }', "`elsewhere` names the code 'xx'"),
        ("item", 'item = ""', "item"),
        ("fields", "fields = {}", "[sample] fields should name a field at least"),
        ("fields", "", "missing required field `fields`"),
        ("fields", 'fields = { question = "question" }', "the field 'question' is 'question' in every row"),
        ("fields", 'fields = { question = "{question}", language = "{l}" }', "no field can be called 'language'"),
        ("fields", 'fields = { question = { column = "x" } }', "the field 'question' needs `column` and either"),
        ("fields", 'fields = { question = { map = { a = "b" } } }', "the field 'question' needs `column` and either"),
        ("options", "", "a choice needs `options` in [sample]"),
        ("options", "options = []", "a choice needs `options` in [sample]"),
        ("options", 'options = ["{a}"]', "`options` should name two at least"),
        ("options", 'options = { column = "x", as = "yaml" }', "options: as = 'yaml'; known are list, json"),
        ("options", 'options = { column = "x", as = "split" }', "options: as = 'split' is for references"),
        ("options", 'options = { as = "list" }', "options: `column` should name the column"),
        ("options", 'options = { column = "x", is = "list" }', "unknown field `is`"),
        ("answer", "", "a choice needs `answer` in [sample]"),
        ("answer", 'answer = { column = "x", as = "roman" }', "answer: as = 'roman'; known are letter"),
        ("answer", 'answer = { as = "letter" }', "answer: `column` should name the column"),
        ("answer", 'answer = "x"', "Expected `object | null`, got `str`"),
        ("answer", 'answer = { column = "x", as = "map" }', "answer: `map` and as = 'map' go together"),
        ("answer", 'answer = { column = "x", map = { a = 0 } }', "answer: `map` and as = 'map' go together"),
        ("answer", 'answer = { column = "x", as = "map", map = { a = "b" } }', "answer: map has 'a' = 'b'"),
        ("answer", 'answer = { column = "x", as = "map", map = { a = true } }', "answer: map has 'a' = True"),
        ("answer", 'answer = { column = "x", as = "map", map = { a = -1 } }', "answer: map has 'a' = -1"),
        (
            "answer",
            'answer = { column = "x", as = "letter" }\nfirst_per = { by = "{k}", n = 0 }',
            "`first_per` takes 1",
        ),
        ("answer", 'answer = { column = "x", as = "letter" }\nskip = { x = "y" }', "Expected `array`, got `str`"),
    ],
)
def test_a_wrong_key(tmp_path: Path, key: str, line: str, said: str) -> None:
    text = CHOICE if key != "extra" else f"extra = 1\n{CHOICE}"
    assert said in refusal(tmp_path, text, **{key: line})


@pytest.mark.parametrize(("kind", "lacking"), [("generation", "references"), ("labels", "answers"), ("rules", "rules")])
def test_each_kind_needs_its_gold(tmp_path: Path, kind: str, lacking: str) -> None:
    assert f"a {kind} needs `{lacking}` in [sample]" in refusal(tmp_path, kind=f'kind = "{kind}"')


def test_what_is_held_out_and_a_split_for_examples_exclude_each_other(tmp_path: Path) -> None:
    text = f"held_out = 5\n{CHOICE}".replace('test = "{code}.jsonl"', 'test = "{code}.jsonl"\ntrain = "more.jsonl"')
    assert "`held_out` is for datasets without a split for examples" in refusal(tmp_path, text)


def test_two_tasks_of_one_name(tmp_path: Path) -> None:
    text = CHOICE.replace('name = "tiny"', "") + '[[task]]\nname = "same"\n[[task]]\nname = "same"\n'
    assert "two tasks are called same" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "path",
    ["../../etc/passwd", "/etc/passwd", "a/../../b", "..", "{code}/../x", "a\\u0000b", "a\\nb", "."],
)
@pytest.mark.parametrize(
    "place",
    [
        'test = "{}"',
        'test = ["ok", "{}"]',
        'test = "ok"\ntrain = "{}"',
        'test = "{{code}}"\nelsewhere = {{ yo = "{}" }}',
        'test = "ok"\njoin = {{ path = "{}", by = "id", columns = {{}} }}',
    ],
)
def test_a_path_never_leaves_the_folder(tmp_path: Path, path: str, place: str) -> None:
    """The text of any file could go out to a model otherwise."""
    assert "a path leads down from the dataset's folder" in refusal(tmp_path, test=place.format(path))


def test_the_paths_of_the_package_lead_down() -> None:
    for task in tasks.all_tasks().values():
        if isinstance(task.source, Files):
            for variety in task.varieties:
                assert all(
                    inside(path)
                    for split in task.splits
                    if split in task.source.splits
                    for path in task.source.paths(variety, split)
                )


def test_languages_by_any_name(tmp_path: Path) -> None:
    (task,) = declare(tmp_path, languages='languages = ["yor", "Hausa", "am", "zh-Hant"]')
    assert [variety.language for variety in task.varieties] == ["yor_Latn", "hau_Latn", "amh_Ethi", "zho_Hant"]
    assert [variety.code for variety in task.varieties] == ["yor", "Hausa", "am", "zh-Hant"]


def test_a_datasets_own_codes(tmp_path: Path) -> None:
    (task,) = declare(tmp_path, f'codes = "xcopa"\n{CHOICE}', languages="")
    assert {one.code for one in task.varieties} == {one.code for one in languages.dataset_codes("xcopa")}
    (task,) = declare(tmp_path, f'codes = "xcopa"\n{CHOICE}', languages='languages = ["SW"]')
    assert [(one.code, one.language) for one in task.varieties] == [("sw", "swh_Latn")]
    assert "the dataset xcopa has no code" in refusal(
        tmp_path, f'codes = "xcopa"\n{CHOICE}', languages='languages = ["yo"]'
    )


def test_exceptions_by_code(tmp_path: Path) -> None:
    (task,) = declare(
        tmp_path,
        'exclude = { ha = "why" }\nflaws = { yo = "wrong_questions" }\norigins = { native = ["am"] }\n'
        'origin = "human-translated"\nitems = { yo = 7 }\n' + CHOICE,
        languages='languages = ["yo", "ha", "am"]',
    )
    assert [(one.code, one.flaw, task.origin_in(one)) for one in task.varieties] == [
        ("yo", "wrong_questions", "human-translated"),
        ("am", "", "native"),
    ]
    assert task.items == {"yo": 7}


def test_kinds_of_sources(tmp_path: Path) -> None:
    hub = 'test = "validation"\nkind = "hub"\nrepository = "owner/name"\nconfig = ["{code}_a", "{code}_b"]'
    (task,) = declare(tmp_path, test=hub)
    assert isinstance(task.source, Hub)
    assert (task.source.commit, task.source.configs) == ("main", ("{code}_a", "{code}_b"))
    assert "names its splits" in refusal(tmp_path, test=hub.replace('test = "validation"', 'test = ["a", "b"]'))
    (task,) = declare(tmp_path, format='format = "parallel"', test='test = { question = "q.{code}", id = "ids" }')
    assert isinstance(task.source, Files)
    assert task.source.paths(YORUBA, "test") == ("q.yo", "ids")


def test_where_takes_booleans_numbers_and_lists(tmp_path: Path) -> None:
    put_rows(
        tmp_path / "yo.jsonl", [{**ROWS[0], "id": str(n), "ok": n % 2 == 0, "n": n, "m": {"k": n}} for n in range(6)]
    )
    for where, found in (
        ("{ ok = true }", "024"),
        ("{ ok = false, n = [1, 2, 5] }", "15"),
        ("{ 'm.k' = 4 }", "4"),
        ("{ n = [] }", ""),
    ):
        (task,) = declare(tmp_path, test=f'test = "yo.jsonl"\nwhere = {where}')
        assert "".join(sample.item for sample in task.samples(YORUBA)) == found


def test_a_local_table(tmp_path: Path) -> None:
    """A file beside the declaration, read wherever the program is started."""
    put(
        tmp_path / "data" / "questions.csv",
        '\ufeffid,question,a,b,answer\r\nq1,"Two\nlines, and ""quotes""",so,not so,B\r\n',
    )
    (task,) = declare(
        tmp_path, languages='languages = ["yo"]', format='format = "csv"', test='test = "data/questions.csv"'
    )
    (sample,) = task.samples(task.varieties[0])
    assert (sample.input, sample.answer) == ('Two\nlines, and "quotes"', 1)
    put(tmp_path / "data" / "questions.csv", "id,question,a,b\nq1,Why?,so,not so\n")
    with pytest.raises(
        DataError, match=r"questions\.csv row 1: no column 'answer'; there are line, file, id, question, a, b"
    ):
        list(task.samples(task.varieties[0]))
    put_rows(tmp_path / "data" / "questions.csv", [ROWS[0], ROWS[0]])
    (task,) = declare(tmp_path, test='test = "data/questions.csv"')
    with pytest.raises(DataError, match=r"row 2: the item 'q1' was questions\.csv row 1 already"):
        list(task.samples(YORUBA))


def test_a_name_that_the_package_has(tmp_path: Path) -> None:
    declare(tmp_path, name='name = "sib200"')
    with pytest.raises(DeclarationError, match="this program has a task called sib200; give yours another name"):
        tasks.add(tmp_path / "tiny.toml")
    assert tasks.get("sib200").source.dataset == "sib200"


ADDING = """
import sys
from pathlib import Path
import tasks
(one,) = tasks.select([sys.argv[1]])
print(one.name, tasks.get(one.name) is one, len(tasks.select([sys.argv[1], one.name])))
"""


def test_a_declaration_by_its_path(tmp_path: Path) -> None:
    """In a process of its own, since what is added stays known."""
    declare(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", ADDING, str(tmp_path / "tiny.toml")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "tiny True 1\n"


def test_the_metrics_of_every_kind_are_the_kernels() -> None:
    assert {name for names in METRICS.values() for name in names} == set(kernels.METRICS)
    assert not set(TEXT_METRICS) & {"accuracy", "obeyed", "label_f1", "exact_set"}


@pytest.mark.parametrize("path", sorted(tasks.DECLARED.glob("*.toml")), ids=lambda path: path.stem)
def test_the_packages_own(path: Path) -> None:
    for task in load(path):
        assert path.stem.startswith(task.source.dataset)
        assert task.varieties


toml = st.recursive(
    st.booleans().map(lambda value: str(value).lower())
    | st.integers(-9, 9).map(str)
    | segments.map(lambda text: "'" + "".join(c for c in text if c.isprintable() and c != "'") + "'"),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda made: f"[{', '.join(made)}]")
        | st.dictionaries(st.sampled_from(["column", "as", "map", "text", "x"]), inner, max_size=2).map(
            lambda made: "{ " + ", ".join(f"{key} = {value}" for key, value in made.items()) + " }"
        )
    ),
    max_leaves=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from([line.split(" = ")[0] for line in CHOICE.splitlines() if " = " in line]),
    value=toml,
)
def test_any_value_anywhere_is_taken_or_refused_in_one_line(tmp_path: Path, key: str, value: str) -> None:
    made: Any = None
    try:
        made = declare(tmp_path, **{key: f"{key} = {value.encode('utf-8', 'replace').decode()}"})
    except DeclarationError as error:
        check_line(error)
    else:
        assert len(made) == 1


def test_two_options_of_one_text_in_a_file_of_ones_own_are_refused(tmp_path: Path) -> None:
    put_rows(tmp_path / "yo.jsonl", [{"id": "1", "question": "?", "a": "x", "b": "x", "answer": "A"}])
    (task,) = declare(tmp_path)
    with pytest.raises(DataError, match="row 1: two options are both 'x'"):
        list(task.samples(task.varieties[0]))
