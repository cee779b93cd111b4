"""`bench energy probe` and what `bench doctor` says of energy: on a scripted GPU, on broken ones, and without any."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bench.energy.reasons import FATAL
from tests.conftest import REPOSITORY
from tests.e2e.conftest import Bench

FAKE_SITE = REPOSITORY / "tests" / "energy" / "fake_site"
UUID = "GPU-12345678-1234-1234-1234-123456789abc"


def scripted(**script: Any) -> dict[str, str]:
    """The environment in which the program finds a scripted NVML."""
    found = {"gpus": [{"power": 90.0, "uuid": UUID}], **script}
    return {"PYTHONPATH": f"{FAKE_SITE}:{REPOSITORY}", "BENCH_FAKE_NVML": json.dumps(found)}


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_a_gpu_is_found_and_probed_at_idle(bench: Bench) -> None:
    done = bench("energy", "probe", "--meter", "nvml", "--no-load", "--json", **scripted())
    told = json.loads(done.stdout)
    assert told.keys() == {"meters", "probed", "idle_watts", "checks", "passed"}
    nvml = next(meter for meter in told["meters"] if meter["name"] == "nvml")
    for meter in (nvml, told["probed"]):
        assert meter["works"] and not meter["reason"]
        assert meter["facts"]["scope"] == "gpu_board"
        assert meter["facts"]["method"] == "counter"
        [device] = meter["facts"]["devices"]
        assert (device["name"], device["power_limit"]) == ("NVIDIA H100 80GB HBM3", 700.0)
    assert told["passed"]
    checks = {check["id"]: check for check in told["checks"]}
    assert list(checks) == [f"T{number}" for number in range(1, 11)]
    assert {name for name, check in checks.items() if check["passed"]} - {"T10"} == {"T1", "T4", "T5", "T9"}
    assert {checks[name]["detail"] for name in ("T2", "T3", "T6", "T7", "T8")} == {"--no-load was given"}
    assert told["idle_watts"] == pytest.approx(90.0, rel=0.05)
    assert UUID not in done.stdout + done.stderr
    assert "about 0:00:0" in done.stderr


def test_what_holds_and_what_does_not_is_a_table(bench: Bench) -> None:
    """Half of 700 W at rest: no GPU does that."""
    busy = scripted(gpus=[{"power": 350.0, "uuid": UUID}])
    done = bench("energy", "probe", "--meter", "nvml", "--no-load", expect=1, **busy)
    rows = {words[0]: line for line in done.stdout.splitlines() if (words := line.split())}
    assert re.search(r"idle power is plausible +NO +35\d\.\d W +20 to 175 W", rows["T5"])
    assert "yes" in rows["T4"]
    assert "not made" in rows["T2"]
    assert "Idle power: 35" in done.stdout
    assert "NVIDIA H100 80GB HBM3, limited to 700 W" in one_line(done.stdout)


def test_without_a_load_the_reason_is_told(bench: Bench) -> None:
    from kernels import gpu

    if not gpu.available():
        pytest.skip("there is a GPU here")
    done = bench("energy", "probe", "--meter", "nvml", **scripted())
    assert f"T2, T3, T6, T7, T8: {gpu.available()}" in one_line(done.stdout)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ({"init_error": 12}, "no_driver"),
        ({"init_error": 9}, "no_driver"),
        ({"init_error": 4}, "no_permission"),
        ({"gpus": []}, "no_gpu"),
        ({"gpus": [{"mig": True}]}, "mig_enabled"),
    ],
    ids=["library", "driver", "permission", "no GPU", "MIG"],
)
def test_nothing_to_measure_with_is_told_with_the_reason(bench: Bench, script: dict[str, Any], code: str) -> None:
    environment = scripted(**script)
    told = json.loads(bench("energy", "probe", "--meter", "nvml", "--json", expect=1, **environment).stdout)
    assert not told["passed"]
    assert told["checks"] == []
    assert told["idle_watts"] is None
    nvml = next(meter for meter in told["meters"] if meter["name"] == "nvml")
    for meter in (nvml, told["probed"]):
        assert not meter["works"]
        assert meter["facts"] is None
        assert meter["reason"] == code
        assert meter["mend"]
    said = bench("energy", "probe", "--meter", "nvml", expect=1, **environment).stdout
    assert FATAL[code] in one_line(said)
    assert f"→ {nvml['mend']}" in said
    assert "never zero" in one_line(said)


def test_a_machine_without_any_meter(bench: Bench) -> None:
    if Path("/sys/class/powercap/intel-rapl:0").exists():
        pytest.skip("this machine has an energy counter")
    done = bench("energy", "probe", expect=1, **scripted(init_error=12))
    for name in ("nvml", "amd", "rapl"):
        assert re.search(rf"^energy: {name} +no ", done.stdout, re.MULTILINE)
    told = json.loads(bench("energy", "probe", "--json", expect=1, **scripted(init_error=12)).stdout)
    assert {meter["name"] for meter in told["meters"]} >= {"nvml", "amd", "rapl"}
    assert told["probed"]["reason"] == "no_meter"


@pytest.mark.parametrize("arguments", [["--meter", "nvlm"], ["--scope", "room"], ["--seconds", "0"]])
def test_a_wrong_argument_is_one_line(bench: Bench, arguments: list[str]) -> None:
    done = bench("energy", "probe", *arguments, expect=2)
    assert done.stderr.count("\n") == 1
    assert not done.stdout


def test_an_outside_meter_that_is_not_there_is_told_without_its_address(bench: Bench) -> None:
    said = bench("energy", "probe", "--meter", "csv:canary/power.csv", "--scope", "wall", expect=1).stdout
    assert FATAL["external_absent"] in one_line(said)
    assert re.search(r"^energy: csv +no ", said, re.MULTILINE)
    for as_json in ([], ["--json"]):
        address = "prometheus:http://user:canary-1234@127.0.0.1:9,watts"
        done = bench("energy", "probe", "--meter", address, "--scope", "wall", *as_json, expect=1)
        assert "canary" not in done.stdout + done.stderr


@pytest.mark.parametrize("meter", ["rapl", "amd", "all", "csv"])
def test_a_meter_that_does_not_measure_beside_one_that_does(bench: Bench, meter: str) -> None:
    if Path("/sys/class/powercap/intel-rapl:0").exists():
        pytest.skip("this machine has an energy counter")
    given = ("--meter", "csv:none.csv", "--scope", "wall") if meter == "csv" else ("--meter", meter)
    said = one_line(bench("energy", "probe", *given, expect=1, **scripted()).stdout)
    assert f"Nothing was measured: {meter} does not measure here, nvml does (--meter nvml)" in said
    assert "missing on this machine" not in said


def test_an_outside_meter_wants_its_scope_as_this_command_takes_it(bench: Bench) -> None:
    refused = bench("energy", "probe", "--meter", "csv:canary.csv", expect=2).stderr
    assert "say --scope node or --scope wall" in refused and "canary" not in refused


def test_help_names_both_commands(bench: Bench) -> None:
    said = bench("energy", "--help").stdout
    assert re.search(r"^  probe ", said, re.MULTILINE)
    assert re.search(r"^  report ", said, re.MULTILINE)
    assert "energy" in bench("--help").stdout


def test_the_doctor_lists_every_meter(bench: Bench) -> None:
    findings = json.loads(bench("doctor", "--json", **scripted()).stdout)
    named = {finding["what"]: finding for finding in findings}
    assert named["energy: nvml"]["works"]
    assert "gpu_board by counter" in named["energy: nvml"]["seen"]
    for name in ("amd", "rapl"):
        finding = named[f"energy: {name}"]
        assert finding["works"] or (finding["seen"] and finding["mend"])
    broken = json.loads(bench("doctor", "--json", **scripted(init_error=4)).stdout)
    nvml = next(finding for finding in broken if finding["what"] == "energy: nvml")
    assert not nvml["works"]
    assert FATAL["no_permission"] in nvml["seen"]
    assert nvml["mend"]


def test_zeus_takes_its_package_and_a_load(bench: Bench) -> None:
    refused = bench("energy", "probe", "--zeus", "--no-load", expect=2, **scripted())
    assert "leave --no-load out" in refused.stderr
