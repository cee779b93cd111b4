"""An outside meter's readings on a Prometheus server."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from bench.energy.external import Series, checked
from bench.energy.meter import NoMeter
from bench.records import UsageError

MARGIN_SECONDS = 120.0
"""How far around a stretch readings are looked for."""
TIMEOUT_SECONDS = 10.0
SELECTOR = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)\s*(\{.*\})?", re.DOTALL)


@dataclass(slots=True)
class PrometheusSource:
    """One metric, with labels as wanted, of a Prometheus server: watts, or joules if its name ends as those do.

    It is asked for the samples as they were scraped, with the times of scraping. `query_range` would repeat the last
    one for up to five minutes where there are none, and a meter that had failed would look like one that had not.
    Every series that is selected is one device, and they are summed.
    """

    address: str = field(repr=False)
    selector: str
    counter: bool
    api: str = field(default="prometheus", init=False)

    def read(self, begin: float, end: float) -> Sequence[Series]:
        """The samples from `MARGIN_SECONDS` before to as many after."""
        until = end + MARGIN_SECONDS
        span = math.ceil(until - begin + MARGIN_SECONDS)
        told = self._ask({"query": f"{self.selector}[{span}s]", "time": f"{until:.3f}"})
        try:
            return [_series(one["values"], counter=self.counter) for one in told["data"]["result"]]
        except (KeyError, TypeError, ValueError) as reason:
            said = str(reason) if isinstance(reason, ValueError) else "the answer is not one of samples"
            raise NoMeter("external_unreadable", f"Prometheus: {said}", "choose a metric in watts") from reason

    def _ask(self, query: dict[str, str]) -> dict[str, Any]:
        # What the library says of a failure names the address, which may hold a password.
        try:
            answer = requests.get(f"{self.address}/api/v1/query", params=query, timeout=TIMEOUT_SECONDS)
        except requests.Timeout:
            raise NoMeter(
                "external_unreadable", "Prometheus did not answer in time", "see whether it is well"
            ) from None
        except (requests.RequestException, UnicodeError):
            raise NoMeter("external_absent", "Prometheus cannot be reached", "start it, or mend its address") from None
        try:
            told = answer.json()
        except ValueError:
            told = None
        if not isinstance(told, dict) or "status" not in told:
            detail = f"what answers (HTTP {answer.status_code}) is no Prometheus"
            raise NoMeter("external_unreadable", detail, "give the address of its HTTP API")
        if told["status"] != "success":
            detail = " ".join(f"Prometheus says: {told.get('error', 'error')}".split())[:200]
            raise NoMeter("external_unreadable", detail, "mend the query")
        if told.get("warnings"):
            raise NoMeter("external_unreadable", "Prometheus warns that its answer is not whole", "see its log")
        return told


def prometheus(address: str, selector: str) -> PrometheusSource:
    """The source of `http://host:9090` and `metric{label="value"}`; raises `UsageError` for anything else."""
    if not re.fullmatch(r"https?://\S+", address):
        raise UsageError(
            "prometheus: takes an address and a metric, as in prometheus:http://host:9090,node_power_watts"
        )
    found = SELECTOR.fullmatch(selector.strip())
    if found is None:
        raise UsageError(
            f'prometheus: {selector!r} is not a metric, as in node_power_watts{{instance="gpu1"}}; '
            "for an expression, make a recording rule and name that"
        )
    counter = found.group(1).endswith(("_joules", "_joules_total"))
    return PrometheusSource(address.rstrip("/"), selector.strip(), counter)


def _series(values: Sequence[tuple[float, str]], *, counter: bool) -> Series:
    times = [float(at) for at, _ in values]
    return Series(times, [checked(float(value), counter=counter) for _, value in values])
