"""Which GPUs are measured."""

from __future__ import annotations

import pytest

from bench.energy.devices import chosen
from bench.energy.meter import NoMeter

UUIDS = ["GPU-aa11", "GPU-bb22", "GPU-bb33"]
ALIKE = ["H100"] * 3
MIXED = ["A100", "H100", "H100"]


@pytest.mark.parametrize(
    ("devices", "visible", "expected"),
    [
        (None, None, [0, 1, 2]),
        ("1", None, [1]),
        ("2,0", None, [2, 0]),
        (" 2 , 2,", None, [2]),
        ("GPU-aa", None, [0]),
        ("GPU-bb33,0", "1", [2, 0]),
        (None, "1", [1]),
        (None, "2,1", [2, 1]),
        (None, "GPU-bb3,GPU-aa11", [2, 0]),
        (None, "0,2,-1,1", [0, 2]),
        (None, "1,7,0", [1]),
    ],
)
def test_chosen(devices: str | None, visible: str | None, expected: list[int]) -> None:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert chosen(UUIDS, ALIKE, devices, environment) == expected


@pytest.mark.parametrize(
    ("devices", "visible", "code"),
    [
        ("3", None, "no_gpu"),
        ("", None, "no_gpu"),
        ("GPU-bb", None, "no_gpu"),
        ("h100", None, "no_gpu"),
        ("-1", None, "no_gpu"),
        ("MIG-aa11", None, "mig_enabled"),
        (None, "", "no_gpu"),
        (None, "-1", "no_gpu"),
        (None, "GPU-cc", "no_gpu"),
        (None, "MIG-aa11", "mig_enabled"),
        (None, "0,MIG-aa11/1/0", "mig_enabled"),
    ],
)
def test_none_to_measure(devices: str | None, visible: str | None, code: str) -> None:
    with pytest.raises(NoMeter) as refused:
        chosen(UUIDS, ALIKE, devices, {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    assert refused.value.code == code
    assert refused.value.mend


def test_no_gpu_at_all() -> None:
    with pytest.raises(NoMeter) as refused:
        chosen([], [], None, {})
    assert refused.value.code == "no_gpu"


def test_order_of_different_gpus_cannot_be_told() -> None:
    with pytest.raises(NoMeter) as refused:
        chosen(UUIDS, MIXED, None, {"CUDA_VISIBLE_DEVICES": "0"})
    assert refused.value.code == "no_gpu"
    assert "CUDA_DEVICE_ORDER" in refused.value.mend


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, [0]),
        ({"CUDA_VISIBLE_DEVICES": "0,1,2"}, [0, 1, 2]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-bb2"}, [1]),
        ({}, [0, 1, 2]),
    ],
    ids=["by bus", "all of them", "by UUID", "unset"],
)
def test_different_gpus_where_it_can(environment: dict[str, str], expected: list[int]) -> None:
    assert chosen(UUIDS, MIXED, None, environment) == expected
