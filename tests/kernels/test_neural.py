"""The worker for COMET, run as the process that it is, against a package with the interface of unbabel-comet 2.2."""

from __future__ import annotations

import ast
import hashlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.base import UNIT
from kernels.neural import VARIABLE, WORKER, Neural, NeuralError

COMET = """
import os, sys, time
from pathlib import Path
import tokenizers  # the one beside it, not what lies beside the worker

print("COMET greets on standard output")
assert tokenizers.OURS

class Prediction:
    def __init__(self, scores):
        self.scores = scores
        self.system_score = sum(scores) / len(scores)

class Model:
    def __init__(self, name):
        self.name = name

    def requires_references(self):
        return "kiwi" not in self.name

    def predict(self, samples, batch_size=16, gpus=1, devices=None, mc_dropout=False, progress_bar=True,
                accelerator="auto", num_workers=None, length_batching=True):
        print("Predicting", file=sys.stdout)
        os.write(1, b"and below Python")
        assert sys.stdin.read() == ""
        first = samples[0]["src"]
        if first == "crash":
            raise RuntimeError("CUDA out of memory")
        if first == "die":
            os.kill(os.getpid(), 9)
        if first == "nan":
            return Prediction([0.5, float("nan")])
        if first == "infinite":
            return Prediction([float("inf")])
        if first == "few":
            return Prediction([0.5])
        if first == "sleep":
            Path(os.environ["STUB_PID"]).write_text(str(os.getpid()))
            time.sleep(600)
        keys = {"src", "mt"} | ({"ref"} if self.requires_references() else set())
        assert all(keys <= set(sample) for sample in samples)
        scores = [len(s["mt"]) / (len(s["src"]) + len(s.get("ref", "")) + 1) for s in samples]
        return Prediction([score + batch_size / 1000 + gpus / 100 for score in scores])

def download_model(model, saving_directory=None, local_files_only=False):
    if "absent" in model:
        raise KeyError(f"Model '{model}' not supported by COMET.")
    path = Path(__file__).with_name(model.replace("/", "_") + ".ckpt")
    path.write_text("weights of " + model)
    return str(path)

def load_from_checkpoint(checkpoint_path, reload_hparams=False, strict=False, local_files_only=False):
    if "broken" in str(checkpoint_path):
        raise Exception("hparams.yaml file is missing")
    return Model(Path(checkpoint_path).stem)
"""
DA, KIWI = "Unbabel/wmt22-comet-da", "Unbabel/wmt22-cometkiwi-da"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment's packages, with this Python for its interpreter."""
    for name, source in {"comet": COMET, "torch": "__version__ = '2.1.0+cpu'", "tokenizers": "OURS = True"}.items():
        (tmp_path / f"{name}.py").write_text(source, "utf-8")
    about = tmp_path / "unbabel_comet-2.2.7.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: unbabel-comet\nVersion: 2.2.7\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv(VARIABLE, sys.executable)
    return tmp_path


@pytest.fixture
def neural(packages: Path) -> Iterator[Neural]:
    with Neural(DA) as model:
        yield model


def test_scores_are_the_models(neural: Neural) -> None:
    result = neural.score(["abc", "de"], ["xy", "ሀ🧬"], [["r", "st"]])
    expected = [2 / 5 + 0.016, 2 / 5 + 0.016]
    assert result.statistics.tolist() == [[round(score * UNIT), 1] for score in expected]
    assert result.segments.tolist() == pytest.approx(expected, abs=1e-9)
    assert result.score == pytest.approx(sum(expected) / 2, abs=1e-9)
    assert result.name == "wmt22-comet-da"
    weights = hashlib.sha256(f"weights of {DA}".encode()).hexdigest()[:16]
    assert result.signature == f"nrefs:1|model:{DA}|checkpoint:{weights}|comet:2.2.7|torch:2.1.0+cpu"


def test_one_process_scores_many_corpora(neural: Neural) -> None:
    neural.score(["a"], ["b"], [["c"]])
    process = neural._process
    big = ["x" * 1000] * 2000
    assert len(neural.score(big, big, [big]).segments) == 2000
    assert neural._process is process


def test_a_model_without_references(packages: Path) -> None:
    with Neural(KIWI, batch_size=4, devices=2) as kiwi:
        result = kiwi.score(["abc"], ["xy"], None)
        assert result.score == pytest.approx(2 / 4 + 0.004 + 0.02)
        assert result.signature.startswith(f"nrefs:0|model:{KIWI}|")


def test_a_checkpoint_by_its_path_names_no_folder(packages: Path) -> None:
    (packages / "mine.ckpt").write_text("weights")
    with Neural(str(packages / "mine.ckpt")) as model:
        assert model.score(["a"], ["b"], [["c"]]).signature.startswith("nrefs:1|model:mine.ckpt|checkpoint:")
        assert model.name == "mine.ckpt"


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(), max_size=5).map("s".__add__), min_size=1, max_size=4))
def test_hostile_text_arrives_whole(neural: Neural, texts: list[str]) -> None:
    joined = [text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") for text in texts]
    result = neural.score(texts, texts, [texts])
    assert result.segments.tolist() == pytest.approx([len(t) / (2 * len(t) + 1) + 0.016 for t in joined], abs=1e-9)


@pytest.mark.parametrize(
    ("source", "segments", "message"),
    [
        ("crash", 1, "COMET's worker stopped while it was scoring: RuntimeError: CUDA out of memory"),
        (
            "die",
            1,
            "COMET's worker stopped while it was scoring: killed by signal 9 after it wrote: .*and below Python",
        ),
        ("nan", 2, "COMET gave segment 2 a score that is no number: nan"),
        ("infinite", 1, "COMET gave segment 1 a score that is no number: inf"),
        ("few", 3, "COMET gave 1 scores for 3 segments"),
    ],
)
def test_a_failure_is_one_line(neural: Neural, source: str, segments: int, message: str) -> None:
    rows = [source] * segments
    with pytest.raises(NeuralError, match=message) as raised:
        neural.score(rows, rows, [rows])
    assert "\n" not in str(raised.value)
    assert neural.score(["a"], ["b"], [["c"]]).score == pytest.approx(1 / 3 + 0.016)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("Unbabel/absent", "no model Unbabel/absent, or cannot download it .*: KeyError: .*not supported by COMET"),
        ("Unbabel/broken", "cannot load the model Unbabel/broken: Exception: hparams.yaml file is missing"),
    ],
)
def test_a_model_that_is_not_there(packages: Path, model: str, message: str) -> None:
    with Neural(model) as neural, pytest.raises(NeuralError, match=message):
        neural.score(["a"], ["b"], [["c"]])
    assert neural._process is None


def test_comet_is_not_installed(packages: Path) -> None:
    (packages / "comet.py").unlink()
    expected = "cannot import COMET: ModuleNotFoundError: No module named 'comet'; install it there: .* -m pip install"
    with Neural(DA) as neural, pytest.raises(NeuralError, match=expected):
        neural.score(["a"], ["b"], [["c"]])


def test_no_interpreter_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(NeuralError, match=f"python3 -m venv comet && .*unbabel-comet, then {VARIABLE}="):
        Neural(DA)


def test_the_interpreter_is_missing(tmp_path: Path) -> None:
    neural = Neural(DA, python=str(tmp_path / "python"))
    with pytest.raises(NeuralError, match="no Python at .*: No such file or directory"):
        neural.score(["a"], ["b"], [["c"]])


def test_the_interpreter_is_no_python(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho 'not a Python' >&2; exit 3\n")
    program.chmod(0o755)
    with pytest.raises(NeuralError, match="cannot run COMET's worker: not a Python"):
        Neural(DA, python=str(program)).score(["a"], ["b"], [["c"]])
    program.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(NeuralError, match="ended with code 3"):
        Neural(DA, python=str(program)).score(["a"], ["b"], [["c"]])
    program.write_text("#!/bin/sh\necho hello; sleep 60\n")
    with pytest.raises(NeuralError, match="answered with what it never says: 'hello'"):
        Neural(DA, python=str(program)).score(["a"], ["b"], [["c"]])


@pytest.mark.parametrize("line", ["[1]", "5", '{"a": 1}', '{"step": "zzz"}', "{", "null"])
def test_a_worker_that_says_what_it_never_says(tmp_path: Path, line: str) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho '{line}'; sleep 60\n")
    program.chmod(0o755)
    with pytest.raises(NeuralError, match="answered with what it never says"):
        Neural(DA, python=str(program)).score(["a"], ["b"], [["c"]])


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_close_ends_the_process_and_allows_another(neural: Neural) -> None:
    before = neural.score(["a"], ["b"], [["c"]])
    assert neural._process is not None
    process = neural._process.pid
    neural.close()
    neural.close()
    assert gone(process)
    assert neural.score(["a"], ["b"], [["c"]]).statistics.tolist() == before.statistics.tolist()


def test_an_interrupt_kills_the_worker(neural: Neural, packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes while the worker scores and this process waits for it."""
    monkeypatch.setenv("STUB_PID", str(packages / "pid"))
    neural._start()
    assert neural._process is not None
    process = neural._process.pid
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(KeyboardInterrupt):
            neural.score(["sleep"], ["b"], [["c"]])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert gone(process)


def test_the_worker_ends_with_its_input(neural: Neural) -> None:
    neural._start()
    assert neural._process is not None
    assert neural._process.stdin is not None
    neural._process.stdin.close()
    assert neural._process.wait(timeout=30) == 0


def test_a_worker_that_died_between_two_corpora(neural: Neural) -> None:
    neural.score(["a"], ["b"], [["c"]])
    assert neural._process is not None
    neural._process.kill()
    neural._process.wait()
    with pytest.raises(NeuralError, match="killed by signal 9"):
        neural.score(["a"], ["b"], [["c"]])
    assert neural.score(["a"], ["b"], [["c"]]).score == pytest.approx(1 / 3 + 0.016)


def test_what_does_not_fit_is_refused(neural: Neural) -> None:
    with pytest.raises(ValueError, match="needs references"):
        neural.score(["a"], ["b"], None)
    with pytest.raises(ValueError, match="one stream of references, not 2"):
        neural.score(["a"], ["b"], [["c"], ["d"]])
    with pytest.raises(ValueError, match="1 hypotheses but 2 sources"):
        neural.score(["a", "x"], ["b"], [["c"]])
    with pytest.raises(ValueError, match="nothing to score"):
        neural.score([], [], [[]])
    with pytest.raises(ValueError, match="segment 2 has no reference"):
        neural.score(["a", "b"], ["c", "d"], [["e", None]])
    with pytest.raises(TypeError, match="segment 2 is NoneType, not text, in COMET's 'src'"):
        neural.score(["a", None], ["c", "d"], [["e", "f"]])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="a batch of at least 1"):
        Neural(DA, batch_size=0)


def test_the_worker_parses_on_old_pythons() -> None:
    ast.parse(WORKER.read_text("utf-8"), feature_version=(3, 8))


def test_the_protocol_is_ascii(packages: Path) -> None:
    """A locale without UTF-8 changes nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONIOENCODING", "latin-1")
        patch.setenv("LC_ALL", "C")
        with Neural(DA) as neural:
            assert neural.score(["ሀ"], ["🧬"], [["é"]]).score == pytest.approx(1 / 3 + 0.016)
