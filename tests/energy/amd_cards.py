"""AMD's GPUs, played by a module with the functions of `amdsmi` 7.0 that are used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.energy.scripted import VirtualClock

RESOLUTION = 15.3
"""Microjoules a count."""


class LibraryError(Exception):
    def __init__(self, err_code: int) -> None:
        super().__init__(err_code)
        self.err_code = err_code


@dataclass
class Card:
    """One GPU. `error`: what the readings of its counter fail with, `counting` what its counter does with joules."""

    power: Callable[[float], float] = lambda at: 500.0
    field: str = "average_socket_power"
    counting: Callable[[float], float] = lambda joules: joules
    count_key: str = "energy_accumulator"
    name: str = "AMD Instinct MI210"
    uuid: str = "ABCD-0"
    hip_id: int = 0
    limit: int = 600_000_000
    error: int | None = None
    mute: bool = False
    joules: float = 1e6
    seen: float = 0.0


@dataclass
class FakeAmd:
    """`amdsmi` as a module: its names, its errors, its N/A."""

    clock: VirtualClock
    cards: list[Card]
    init_error: int | None = None
    running: int = 0
    AmdSmiException: type[Exception] = LibraryError
    AmdSmiInitFlags: Any = field(default_factory=lambda: type("Flags", (), {"INIT_AMD_GPUS": 2}))

    def __post_init__(self) -> None:
        for card in self.cards:
            card.seen = self.clock.now()

    def amdsmi_init(self, flag: int) -> None:
        if self.init_error is not None:
            raise LibraryError(self.init_error)
        self.running += 1

    def amdsmi_shut_down(self) -> None:
        self.running -= 1

    def amdsmi_get_processor_handles(self) -> list[Card]:
        return self.cards

    def amdsmi_get_power_info(self, card: Card) -> dict[str, Any]:
        told: dict[str, Any] = {
            "socket_power": 0xFFFFFFFF,
            "current_socket_power": "N/A",
            "average_socket_power": 0xFFFF,
            "power_limit": 600,
        }
        if card.mute:
            raise LibraryError(2)
        told[card.field] = round(card.power(self.clock.now()))
        return told

    def amdsmi_get_energy_count(self, card: Card) -> dict[str, Any]:
        if card.error is not None:
            raise LibraryError(card.error)
        while card.seen < self.clock.now():
            step = min(0.01, self.clock.now() - card.seen)
            card.joules += step * card.power(card.seen + step / 2)
            card.seen += step
        counts = int(card.counting(card.joules) * 1e6 / RESOLUTION)
        return {card.count_key: counts, "counter_resolution": RESOLUTION, "timestamp": int(self.clock.now() * 1e9)}

    def amdsmi_get_gpu_asic_info(self, card: Card) -> dict[str, Any]:
        return {"market_name": card.name}

    def amdsmi_get_gpu_driver_info(self, card: Card) -> dict[str, Any]:
        return {"driver_version": "6.12.12"}

    def amdsmi_get_power_cap_info(self, card: Card) -> dict[str, Any]:
        return {"power_cap": card.limit}

    def amdsmi_get_gpu_device_uuid(self, card: Card) -> str:
        return card.uuid

    def amdsmi_get_gpu_enumeration_info(self, card: Card) -> dict[str, Any]:
        return {"hip_id": card.hip_id}
