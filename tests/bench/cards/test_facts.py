"""What is known of a model: from its card, its configuration, its weights' headers and what a file declares."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies

from bench.cards import card, facts, family, folder
from bench.cards.facts import FIELDS, Facts, stated
from bench.records import UsageError

CARD = """---
license: Apache-2.0
license_name: ignored-beside-a-licence
base_model: mistralai/Mistral-Small-24B-Base-2501
base_model_relation: finetune
language:
- yo
- hau
- zh
- no
datasets: [owner/one, owner/two]
tags: [yoruba]
model-index:
- name: x
  results:
  - task: {type: text-generation}
    metrics: [1, 2]
---
# A model
---
"""


def weights(path: Path, tensors: dict[str, tuple[str, list[int]]]) -> None:
    """A safetensors file with zeros."""
    size = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "BOOL": 1, "F8_E4M3": 1, "U8": 1}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape) in tensors.items():
        begin, end = end, end + size[dtype] * math.prod(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(end))


def put(place: Path, **files: object) -> Path:
    """A folder with config.json, tokenizer.json and so on; `card` is README.md."""
    place.mkdir(exist_ok=True)
    for name, content in files.items():
        path = place / ("README.md" if name == "card" else f"{name}.json")
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return place


def assert_whole(known: Facts) -> None:
    """Each fact has a source or a reason."""
    for name in FIELDS:
        if getattr(known, name) is None:
            assert known.reasons.get(name), name
            assert name not in known.origin
        else:
            assert known.origin[name], name
    assert facts.from_json(json.loads(json.dumps(facts.to_json(known)))) == known


# Cards.


def test_a_card_says_what_it_says() -> None:
    found = card.parse(CARD)
    assert (found.licence, found.base, found.relation) == (
        "apache-2.0",
        ("mistralai/Mistral-Small-24B-Base-2501",),
        "finetune",
    )
    assert found.languages == ("yor_Latn", "hau_Latn", "nob_Latn")  # `no` is Norwegian, not false
    assert found.other_languages == ("zh",)
    assert found.reasons == {"languages": "ambiguous_or_unknown: zh"}
    assert (found.datasets, found.tags) == (("owner/one", "owner/two"), ("yoruba",))
    assert set(found.origin.values()) == {"hub card"}


@pytest.mark.parametrize(
    ("matter", "licence", "reason"),
    [
        ("license: MIT", "mit", None),
        ("license: other\nlicense_name: Yi-License", "yi-license", None),
        ("license: other", None, "other_without_name"),
        ("license: other\nlicense_name: [a]", None, "other_without_name"),
        ("license: unknown", None, "unknown_to_card"),
        ("license: [mit, apache-2.0]", None, "wrong_type: license is a list"),
        ("license: {a: b}", None, "wrong_type: license is a table"),
        ("license: null", None, "not_in_card"),
        ("license:", None, "not_in_card"),
        ("license: ~", None, "not_in_card"),
        (f"license: {'x' * 300}", None, "wrong_type: license is no short text"),
        ('license: "a\\x1bb"', None, "wrong_type: license is no short text"),
        ("language: yo", None, "not_in_card"),
        ("", None, "not_in_card"),
        ("- a\n- b", None, "metadata_broken: no table"),
        ("just words", None, "metadata_broken: no table"),
        ("a: [", None, "metadata_broken: no YAML"),
        ("license: mit\n\tx: y", None, "metadata_broken: no YAML in line 3"),
        ("a: &x [*x]\nlicense: mit", None, "metadata_broken"),
        ("a: *nobody", None, "metadata_broken"),
        ("? {a: b}\n: c", None, "metadata_broken"),
        ("a: \x00", None, "metadata_broken"),
        ("a: " + "[" * 20_000, None, "metadata_broken"),
        ("license: !!python/object/apply:os.getcwd []", None, "wrong_type: license is a list"),
        ("x: " + "y" * card.LONGEST, None, "metadata_too_long"),
    ],
)
def test_what_a_card_says_wrong_is_unknown(matter: str, licence: str | None, reason: str | None) -> None:
    found = card.parse(f"---\n{matter}\n---\n# Text\n")
    assert found.licence == licence
    assert found.reasons.get("licence", "").startswith(reason or "")
    assert ("licence" in found.reasons) == (reason is not None)


@pytest.mark.parametrize(
    "text",
    ["", "# A card without metadata", "license: mit", "---\nlicense: mit", "text\n---\nlicense: mit\n---\n", "----\n"],
)
def test_a_card_without_metadata(text: str) -> None:
    found = card.parse(text)
    assert found.licence is None and found.reasons["licence"].startswith("no_metadata")


def test_windows_lines_and_a_byte_order_mark_are_read() -> None:
    assert card.parse("\ufeff" + CARD.replace("\n", "\r\n")).licence == "apache-2.0"


def test_many_results_do_not_hide_a_licence(tmp_path: Path) -> None:
    results = "".join(f"  - type: x{number}\n    value: {number}.5\n" for number in range(40_000))
    put(tmp_path, card=f"---\nmodel-index:\n- results:\n{results}license: mit\n---\n")
    assert card.read(tmp_path / "README.md").licence == "mit"


def test_ten_megabytes_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(CARD + "é" * 10_000_000, "utf-8")
    assert card.read(path).licence == "apache-2.0"
    path.write_text("---\n" + "x: é\n" * 3_000_000, "utf-8")
    assert card.read(path).reasons["licence"].startswith("no_metadata")
    path.write_bytes(b"---\nlicense: mit\n---\n\xff\xfe")
    assert card.read(path).reasons["licence"] == "card_unreadable: not UTF-8"
    path.unlink()
    path.mkdir()
    assert card.read(path).reasons["licence"] == "no_card"


@pytest.mark.parametrize(
    ("given", "base", "reason"),
    [
        ("meta-llama/Llama-3.1-8B", ("meta-llama/Llama-3.1-8B",), ""),
        ("gpt2", ("gpt2",), ""),
        ("[a/b, c/d, a/b]", ("a/b", "c/d"), ""),
        ("/home/somebody/models/llama-yo/", ("llama-yo",), "local_path"),
        ("./out/checkpoint-10", ("checkpoint-10",), "local_path"),
        ("'C:\\models\\llama'", ("llama",), "local_path"),
        ("data/models/llama", ("llama",), "local_path"),
        ("https://huggingface.co/owner/name/tree/main", ("owner/name",), ""),
        ("[a/b, {c: d}]", None, "wrong_type: a member of base_model is a table"),
        ("[]", None, "not_in_card"),
        ("7", ("7",), ""),
    ],
)
def test_bases(given: str, base: tuple[str, ...] | None, reason: str) -> None:
    found = card.parse(f"---\nbase_model: {given}\nbase_model_relation: cousin\n---\n")
    assert found.base == base
    assert found.reasons.get("base", "").startswith(reason) and ("base" in found.reasons) == bool(reason)
    assert found.relation is None and found.reasons["relation"].startswith("unknown_word")


@given(strategies.text(), strategies.text(alphabet="ab:-[]{}&*!|>'\"\\ \n\t#%@,~?", max_size=60))
def test_no_card_raises(text: str, matter: str) -> None:
    for content in (text, f"---\n{text}\n---\n", f"---\n{matter}\n---\n", f"---\nlicense: {matter}\n---\n"):
        found = card.parse(content)
        for name in card.FIELDS:
            assert (getattr(found, name) is not None) or found.reasons[name]


@given(
    strategies.dictionaries(
        strategies.sampled_from(
            ["license", "license_name", "base_model", "base_model_relation", "language", "datasets", "tags"]
        ),
        strategies.recursive(
            strategies.none() | strategies.booleans() | strategies.floats() | strategies.text(max_size=5),
            lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(), inner),
            max_leaves=4,
        ),
    )
)
def test_values_of_any_type_are_facts_or_reasons(values: dict[str, Any]) -> None:
    found = card.parse(f"---\n{json.dumps(values)}\n---\n")
    for name in card.FIELDS:
        value = getattr(found, name)
        assert found.reasons.get(name) if value is None else isinstance(value, str | tuple)
        assert not isinstance(value, tuple) or all(isinstance(one, str) and one for one in value)


# Folders.


def test_a_folder_of_transformers_is_counted_exactly(llama: Path) -> None:
    import transformers

    loaded = transformers.AutoModelForCausalLM.from_pretrained(llama)
    known = facts.of(f"hf:{llama}")
    assert known.parameters == sum(one.numel() for one in loaded.parameters())
    assert known.vocabulary == len(transformers.AutoTokenizer.from_pretrained(llama))
    assert (known.context, known.architecture, known.open_weights) == (1024, "LlamaForCausalLM", True)
    assert known.origin["parameters"] == "safetensors header"
    assert known.reasons["licence"] == "no_card"
    assert known == facts.of(f"vllm:{llama}")
    assert_whole(known)
    assert str(llama) not in json.dumps(facts.to_json(known))


def test_shards_are_added_up(llama: Path, tmp_path: Path) -> None:
    import transformers

    transformers.AutoModelForCausalLM.from_pretrained(llama).save_pretrained(tmp_path, max_shard_size="200KB")
    shards = list(tmp_path.glob("*.safetensors"))
    assert len(shards) > 1
    assert facts.of(f"hf:{tmp_path}").parameters == facts.of(f"hf:{llama}").parameters
    shards[0].unlink()
    assert facts.of(f"hf:{tmp_path}").reasons["parameters"] == f"missing_shard: {shards[0].name}"


def test_a_whole_folder(tmp_path: Path) -> None:
    tokenizer = {"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": [{"content": "b"}, {"content": "<s>"}]}
    config = {"text_config": {"max_position_embeddings": 32768}, "architectures": ["Some"], "max_seq_len": 7}
    put(tmp_path, card=CARD, config=config, tokenizer=tokenizer)
    weights(tmp_path / "model.safetensors", {"w": ("BF16", [3, 4]), "s": ("F32", []), "ids": ("I64", [1, 9])})
    known = facts.of(f"hf:{tmp_path}")
    assert (known.parameters, known.context, known.vocabulary, known.architecture) == (13, 32768, 3, "Some")
    assert known.licence == "apache-2.0" and known.organisation is None
    assert known.languages == ("yor_Latn", "hau_Latn", "nob_Latn") and known.other_languages == ("zh",)
    assert facts.of(f"hf:{tmp_path}", {}, stated("model file", languages=("zho_Hans",))).other_languages == ()
    put(tmp_path, card="---\nlanguage: zh\n---\n")
    unresolved = facts.of(f"hf:{tmp_path}", {}, stated("model file", licence="mit"))
    assert unresolved.languages is None and unresolved.other_languages == ("zh",)
    assert unresolved.reasons["languages"] == "ambiguous_or_unknown: zh"
    assert_whole(known)


@pytest.mark.parametrize(
    ("tensors", "config", "reason"),
    [
        ({"w": ("I32", [8, 8]), "s": ("F16", [8])}, {}, "quantised: I32"),
        ({"w": ("F8_E4M3", [8, 8])}, {}, "quantised: F8_E4M3"),
        ({"w": ("F16", [8, 8])}, {"quantization_config": {"quant_method": "gptq"}}, "quantised: gptq"),
        ({"w": ("F16", [8, 8])}, {"text_config": {"quantization_config": {"a": 1}}}, "quantised: config.json"),
        ({"ids": ("I64", [8])}, {}, "no_weights"),
    ],
)
def test_packed_weights_are_not_counted(tmp_path: Path, tensors: Any, config: Any, reason: str) -> None:
    weights(put(tmp_path, config=config) / "model.safetensors", tensors)
    known = facts.of(f"hf:{tmp_path}")
    assert known.parameters is None and known.reasons["parameters"].startswith(reason)
    assert known.open_weights is True
    assert_whole(known)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01",
        (10**18).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (9).to_bytes(8, "little") + b'{"a": {}}',
        (4).to_bytes(8, "little") + b"\xff\xff\xff\xff",
        (50_000).to_bytes(8, "little") + b"[" * 50_000,
    ],
)
def test_a_header_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    assert facts.of(f"hf:{tmp_path}").reasons["parameters"] == "damaged: model.safetensors has no header"


@pytest.mark.parametrize("size", [[1000, 1000], [-2, -2], [2]])
def test_a_header_that_claims_what_is_not_there(tmp_path: Path, size: list[int]) -> None:
    text = json.dumps({"w": {"dtype": "F32", "shape": size, "data_offsets": [0, 16]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(16))
    assert facts.of(f"hf:{tmp_path}").reasons["parameters"].startswith("damaged: model.safetensors is cut short")


def test_a_file_cut_short_is_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    weights(path, {"w": ("F32", [100])})
    path.write_bytes(path.read_bytes()[:-1])
    assert facts.of(f"hf:{tmp_path}").reasons["parameters"].startswith("damaged")


def test_which_files_are_the_weights(tmp_path: Path) -> None:
    def why() -> str:
        return facts.of(f"hf:{tmp_path}").reasons["parameters"]

    assert why().startswith("no_safetensors")
    weights(tmp_path / "a.safetensors", {"w": ("F32", [2])})
    assert facts.of(f"hf:{tmp_path}").parameters == 2
    weights(tmp_path / "b.safetensors", {"v": ("F32", [3])})
    assert why().startswith("no_index")
    for outside in ("../b.safetensors", "/etc/passwd", "..\\b", ".."):
        (tmp_path / folder.INDEX).write_text(json.dumps({"weight_map": {"w": outside}}))
        assert why().startswith(("damaged", "unreadable")), outside
    (tmp_path / folder.INDEX).write_text(json.dumps({"weight_map": {"w": "a.safetensors", "v": "b.safetensors"}}))
    assert facts.of(f"hf:{tmp_path}").parameters == 5
    weights(tmp_path / "b.safetensors", {"w": ("F32", [2])})
    assert facts.of(f"hf:{tmp_path}").parameters == 2  # the same tensor in two shards


@pytest.mark.parametrize(
    ("config", "context", "reason"),
    [
        ({"n_positions": 1024}, 1024, None),
        ({"max_position_embeddings": 4096, "model_max_length": 2048}, 2048, None),
        ({"max_position_embeddings": True, "seq_length": "9"}, None, "not_in_config"),
        ({"max_position_embeddings": 10**30}, None, "not_in_config"),
        ({"max_position_embeddings": -1}, None, "not_in_config"),
        ({"max_position_embeddings": 32768, "rope_scaling": {"type": "yarn", "factor": 4.0}}, 32768, "stretched"),
        ({"max_position_embeddings": 131072, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 131072, None),
        ({"max_position_embeddings": 8, "rope_scaling": {"type": ["x"], "factor": "4"}}, 8, None),
        ({"text_config": [], "architectures": [[]]}, None, "not_in_config"),
        ([], None, "damaged: config.json"),
        ("{", None, "damaged: config.json"),
        ("[" * 100_000, None, "damaged: config.json"),
    ],
)
def test_the_context_is_what_the_configuration_bounds(
    tmp_path: Path, config: object, context: int | None, reason: str | None
) -> None:
    known = facts.of(f"hf:{put(tmp_path, config=config)}")
    assert known.context == context
    assert known.reasons.get("context", "").startswith(reason or "") and ("context" in known.reasons) == bool(reason)
    assert_whole(known)


def test_a_unigram_vocabulary_and_broken_ones(tmp_path: Path) -> None:
    put(tmp_path, tokenizer={"model": {"vocab": [["a", -1.0], ["b", -2.0], ["a", -3.0]]}})
    assert facts.of(f"hf:{tmp_path}").vocabulary == 2
    broken: object
    for broken in ({}, {"model": {"vocab": 3}}, {"model": {"vocab": {}}}, "{", {"model": {"vocab": [[], 3]}}):
        known = facts.of(f"hf:{put(tmp_path, tokenizer=broken)}")
        assert known.vocabulary is None and known.reasons["vocabulary"].startswith(("damaged", "empty"))


def test_an_adapter_names_its_base_and_not_where_it_lay(tmp_path: Path) -> None:
    put(tmp_path, adapter_config={"base_model_name_or_path": "/data/somebody/yoruba-base", "peft_type": "LORA"})
    weights(tmp_path / "adapter_model.safetensors", {"a": ("F32", [2, 2])})
    known = facts.of(f"hf:{tmp_path}")
    assert (known.base, known.relation, known.parameters) == (("yoruba-base",), "adapter", None)
    assert known.reasons["parameters"].startswith("adapter")
    assert_whole(known)
    put(tmp_path, card="---\nbase_model: other/base\n---\n")
    known = facts.of(f"hf:{tmp_path}")
    assert (known.base, known.relation) == (("other/base",), "adapter")
    assert known.reasons["base"] == "contradicted: adapter_config.json says yoruba-base"
    (tmp_path / "README.md").unlink()
    broken: object
    for broken in ({}, {"base_model_name_or_path": ["x"]}, {"base_model_name_or_path": ""}, "{", []):
        known = facts.of(f"hf:{put(tmp_path, adapter_config=broken)}")
        assert known.base is None and known.reasons["base"]
        assert_whole(known)


def test_an_adapter_put_on_a_model_by_an_option(tmp_path: Path) -> None:
    base = put(tmp_path / "yoruba-base", config={"max_position_embeddings": 64, "architectures": ["A"]}, card=CARD)
    weights(base / "model.safetensors", {"w": ("F32", [9])})
    lora = put(
        tmp_path / "court",
        adapter_config={"base_model_name_or_path": "other/base"},
        card="---\nlicense: mit\n---\n",
    )
    known = facts.of(f"vllm:{base}", {"lora": str(lora)})
    assert (known.base, known.relation, known.context) == (("yoruba-base",), "adapter", 64)
    assert (known.licence, known.parameters) == ("mit", None)
    assert known.reasons["base"] == "contradicted: adapter_config.json says other/base"
    assert facts.published(f"vllm:{base}", {"lora": str(lora)}) == "vllm:yoruba-base+court"
    assert facts.published(f"hf:{base}", {"lora": "a-lab/court"}) == "hf:yoruba-base+a-lab/court"
    assert facts.published("openai:a/b", {"lora": "x"}) == "openai:a/b"
    assert_whole(known)


def test_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none", Path("x" * 5000), "owner/na me", "..", "a/b/c", "\x00", "-"):
        known = facts.of(f"hf:{place}")
        assert known.parameters is None and known.open_weights is None
        assert_whole(known)


# Sources against one another.


def test_what_is_declared_comes_first_but_a_count_stays(tmp_path: Path) -> None:
    put(tmp_path, card=CARD, config={"max_position_embeddings": 4096})
    weights(tmp_path / "model.safetensors", {"w": ("F16", [1000])})
    declared = stated(
        "model file",
        licence="mit",
        parameters=3000,
        context=8192,
        organisation="Us",
        base=("other/model",),
        languages=("yor_Latn",),
    )
    known = facts.of(f"hf:{tmp_path}", {}, declared)
    assert (known.licence, known.context, known.parameters, known.organisation) == ("mit", 8192, 1000, "Us")
    assert known.origin["licence"] == "model file" and known.origin["parameters"] == "safetensors header"
    assert known.reasons["licence"] == "contradicted: hub card says apache-2.0"
    assert known.reasons["parameters"] == "contradicted: model file says 3000"
    assert known.reasons["context"] == "contradicted: config.json says 4096"
    assert known.relation is None and known.reasons["relation"] == "said_of_another_base"
    assert known.languages == ("yor_Latn",) and known.other_languages == ()
    assert_whole(known)


def test_a_rounded_count_and_another_spelling_contradict_nothing(tmp_path: Path) -> None:
    put(tmp_path, card=CARD)
    weights(tmp_path / "model.safetensors", {"w": ("F16", [1040])})
    declared = stated("model file", parameters=1000, base=("MISTRALAI/mistral-small-24b-base-2501",), open_weights=True)
    known = facts.of(f"hf:{tmp_path}", {}, declared)
    assert known.parameters == 1040 and known.relation == "finetune"
    assert not {"parameters", "base", "open_weights"} & known.reasons.keys()


def test_an_owner_and_a_folder_contradict_nothing() -> None:
    declared = stated("model file", organisation="A Language Lab", base=("a-lab/Yoruba-Base",))
    found = stated(facts.OWNER, organisation="a-lab", base=("yoruba-base",))
    assert facts.merged(declared, found).reasons == {}
    assert facts.merged(declared, stated(facts.HUB_CARD, base=("a-lab/other",))).reasons.keys() == {"base"}


def test_closed_weights_at_hand_are_closed_and_say_so(tmp_path: Path) -> None:
    weights(tmp_path / "model.safetensors", {"w": ("F16", [4])})
    known = facts.of(f"hf:{tmp_path}", {}, stated("model file", open_weights=False))
    assert known.open_weights is False
    assert known.reasons["open_weights"] == "contradicted: weights at hand says True"


@pytest.mark.parametrize("name", ["openai:gpt", "anthropic:claude", "command:cat", "replies:answers.jsonl"])
def test_of_other_models_only_what_is_declared_is_known(name: str) -> None:
    known = facts.of(name, {"base_url": "http://localhost"}, stated("model file", level="general"))
    assert known.level == "general"
    assert {known.reasons[field] for field in FIELDS if field != "level"} == {"not_declared"}
    assert_whole(known)


def test_a_baseline_is_open_and_has_no_parameters() -> None:
    known = facts.of("baseline:random")
    assert known.open_weights is True and known.parameters is None
    assert known.reasons["parameters"].startswith("has_none")
    assert_whole(known)


def test_a_cached_repository_is_read_without_a_network(tmp_path: Path) -> None:
    """In a process of its own: huggingface_hub reads where its cache is when it is imported."""
    commit = "0" * 40
    cached = tmp_path / "models--a-lab--yoruba-1b"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    (cached / "snapshots").mkdir()
    snapshot = put(cached / "snapshots" / commit, config={"max_position_embeddings": 77})
    weights(snapshot / "model.safetensors", {"w": ("BF16", [5, 5])})
    script = (
        "import json, sys\nfrom bench.cards import facts\n"
        "print(json.dumps(facts.to_json(facts.of(sys.argv[1], {'revision': sys.argv[2]} if sys.argv[2] else {}))))"
    )

    def known(name: str, revision: str = "") -> Facts:
        done = subprocess.run(
            [sys.executable, "-c", script, name, revision],
            capture_output=True,
            text=True,
            check=True,
            env={"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1", "PATH": ""},
        )
        return facts.from_json(json.loads(done.stdout))

    found = known("hf:a-lab/yoruba-1b")
    assert (found.parameters, found.context, found.organisation) == (25, 77, "a-lab")
    assert found.origin["organisation"] == "owner of the hub repository"
    assert found.reasons["licence"] == "not_in_cache"
    (snapshot / "README.md").write_text(CARD, "utf-8")
    assert known("vllm:a-lab/yoruba-1b").licence == "apache-2.0"
    assert known("hf:a-lab/yoruba-1b", "v2").reasons["parameters"] == folder.NO_FILES
    assert known("hf:a-lab/unheard-of").organisation == "a-lab"


# JSON.


def test_facts_of_a_later_version_are_read() -> None:
    known = facts.of("baseline:copy")
    record = {**asdict(known), "a_later_field": {"x": [1]}}
    assert facts.from_json(json.loads(json.dumps(record))) == known
    broken: object
    for broken in (None, [], {"parameters": "many"}, {"base": "text"}, {"level": "royal"}):
        with pytest.raises(UsageError, match="facts of a model that do not read") as refused:
            facts.from_json(broken)
        assert "\n" not in str(refused.value)


# Families.


def model(name: str, *base: str, **more: Any) -> tuple[str, Facts]:
    return name, stated("model file", base=base or None, **more)


def shape(members: tuple[family.Member, ...]) -> dict[str, Any]:
    return {member.name: shape(member.children) for member in members}


def test_models_stand_under_what_they_were_made_from() -> None:
    court = model("openai:court", "yoruba", level="institution")
    yoruba = model("hf:yoruba", "LAB/General-7B", level="language")
    law = model("hf:someone/law", "hf:Yoruba", level="vertical")
    general = model("vllm:lab/general-7b", level="general")
    other = model("openai:other", "unknown/base")
    lone = model("baseline:copy")
    found = family.tree([court, yoruba, law, general, other, lone])
    assert shape(found) == {
        "vllm:lab/general-7b": {"hf:yoruba": {"openai:court": {}, "hf:someone/law": {}}},
        "unknown/base": {"openai:other": {}},
        "baseline:copy": {},
    }
    assert found[1].facts is None and found[0].facts == general[1]
    assert not any(remark for member in found for remark in member.remarks)


def test_siblings_share_a_base_that_is_not_there_however_it_is_spelled() -> None:
    found = family.tree([model("openai:a", "Lab/Base"), model("openai:b", "lab/base"), model("openai:b", "lab/base")])
    assert shape(found) == {"Lab/Base": {"openai:a": {}, "openai:b": {}}}


def test_circles_are_cut() -> None:
    found = family.tree([model("hf:c", "a"), model("hf:a", "b"), model("hf:b", "a"), model("hf:self", "self")])
    assert shape(found) == {"hf:a": {"hf:c": {}, "hf:b": {}}, "hf:self": {}}
    assert found[0].remarks == ("a circle, cut here: hf:a from hf:b from hf:a",)
    assert found[1].remarks == ("a circle, cut here: hf:self from hf:self",)


def test_the_same_name_twice_is_no_circle() -> None:
    served, weights_ = model("openai:lab/x", "lab/x"), model("hf:lab/x")
    assert shape(family.tree([served, weights_])) == {"hf:lab/x": {"openai:lab/x": {}}}
    adapter = model("hf:lab/x", "lab/x", relation="adapter")
    assert shape(family.tree([adapter])) == {"lab/x": {"hf:lab/x": {}}}


def test_levels_that_contradict_get_a_remark() -> None:
    (root,) = family.tree([model("hf:a", level="language"), model("hf:b", "a", level="general")])
    assert root.children[0].remarks == ("says level general, but was made from one of level language",)


def test_a_merge_stands_under_the_first_base_that_is_there() -> None:
    (root,) = family.tree([model("hf:m", "x/y", "a", "z"), model("hf:a")])
    assert shape((root,)) == {"hf:a": {"hf:m": {}}}
    assert root.children[0].remarks == ("also made from x/y, z",)


names = strategies.sampled_from(["a", "b", "c", "d", "e"])


@given(strategies.lists(strategies.tuples(names, strategies.lists(names, max_size=2)), max_size=8))
def test_every_model_is_in_the_tree_once(pairs: list[tuple[str, list[str]]]) -> None:
    models = [model(f"hf:{name}", *base) for name, base in pairs]

    def within(members: tuple[family.Member, ...]) -> list[tuple[str, Facts]]:
        own = [(one.name, one.facts) for one in members if one.facts is not None]
        return own + [pair for one in members for pair in within(one.children)]

    found = within(family.tree(models))
    distinct = [one for place, one in enumerate(models) if one not in models[:place]]
    assert len(found) == len(distinct) and all(one in found for one in distinct)
