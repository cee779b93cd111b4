"""Outside meters: a file that grows as time passes, and a server that speaks Prometheus' protocol."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.energy.external import ExternalMeter, Series, energy, open_external
from bench.energy.external_csv import CsvSource
from bench.energy.external_prometheus import PrometheusSource, prometheus
from bench.energy.meter import NoMeter
from bench.energy.records import Reading
from bench.records import UsageError
from tests.energy.scripted import VirtualClock

EPOCH = 1_795_000_000.0
"""Unix time when the virtual clock says 0."""


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def unix(clock: VirtualClock) -> Callable[[], float]:
    return lambda: EPOCH + clock.now()


@dataclass
class Logger:
    """Appends a line with the power of the moment, every so often."""

    path: Path
    clock: VirtualClock
    power: Callable[[float], float | str] = lambda at: 400.0
    header: str = "time,watts"
    line: str = "{time},{watts}"
    lag: float = 0.0
    silent: tuple[float, float] = (math.inf, math.inf)

    def __post_init__(self) -> None:
        self.path.write_text(self.header + "\n", encoding="utf-8")
        self.began = self.clock.now()
        self()

    def __call__(self) -> None:
        at = self.clock.now() - self.lag
        if self.silent[0] <= at - self.began < self.silent[1]:
            return
        iso = datetime.fromtimestamp(EPOCH + at, UTC).isoformat()
        with self.path.open("a", encoding="utf-8") as file:
            file.write(self.line.format(time=EPOCH + at, iso=iso, watts=self.power(at - self.began)) + "\n")


def opened(path: Path, clock: VirtualClock) -> ExternalMeter:
    return open_external(clock, CsvSource(path), "node", unix(clock))


def measured(logger: Logger, clock: VirtualClock, period: float = 1.0) -> Reading:
    """Thirty seconds, from the eleventh on."""
    with clock.every(period, logger):
        clock.wait(10.5)
        meter = opened(logger.path, clock)
        begin = meter.mark()
        clock.wait(30)
        return meter.between(begin, meter.mark())


def test_a_file_is_added_up(tmp_path: Path, clock: VirtualClock) -> None:
    reading = measured(Logger(tmp_path / "power.csv", clock), clock)
    assert reading.joules == pytest.approx(400 * 30)
    assert reading.reasons == ()
    assert reading.notes == ()
    assert reading.seconds == pytest.approx(30)


def test_power_is_interpolated_at_the_edges(tmp_path: Path, clock: VirtualClock) -> None:
    reading = measured(Logger(tmp_path / "power.csv", clock, power=lambda at: 100 + 10 * at), clock)
    assert reading.joules == pytest.approx((205 + 505) / 2 * 30)


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("Time;Outlet;Watts", "{time};3;{watts}"),
        ("watts,time", "{watts},{iso}"),
        ('"time","name","watts"', '{time},"a, b",{watts}'),
        ("\ufefftime,watts", "{iso},{watts}\n"),
    ],
)
def test_columns_may_stand_in_any_order(tmp_path: Path, clock: VirtualClock, header: str, line: str) -> None:
    reading = measured(Logger(tmp_path / "power.csv", clock, header=header, line=line), clock)
    assert reading.joules == pytest.approx(400 * 30)


def test_times_of_another_zone_are_the_same_times(tmp_path: Path, clock: VirtualClock) -> None:
    path = tmp_path / "power.csv"
    noon = datetime.fromtimestamp(EPOCH + clock.now(), UTC)
    path.write_text(f"time,watts\n{noon.isoformat().replace('+00:00', 'Z')},1\n", encoding="utf-8")
    assert opened(path, clock).source.read(0, 0)[0].times == [EPOCH + clock.now()]


def test_a_reading_that_comes_late_is_waited_for(tmp_path: Path, clock: VirtualClock) -> None:
    reading = measured(Logger(tmp_path / "power.csv", clock, lag=0.9), clock)
    assert reading.joules == pytest.approx(400 * 30)


def test_a_meter_that_falls_silent_does_not_end_the_stretch(tmp_path: Path, clock: VirtualClock) -> None:
    reading = measured(Logger(tmp_path / "power.csv", clock, silent=(40.2, math.inf)), clock)
    assert reading.joules is None
    assert reading.reasons == ("not_bracketed",)


def test_a_gap_leaves_no_figure(tmp_path: Path, clock: VirtualClock) -> None:
    reading = measured(Logger(tmp_path / "power.csv", clock, silent=(20, 24)), clock)
    assert reading.joules is None
    assert reading.reasons == ("sample_gap",)


def test_one_lost_reading_of_many_is_no_gap(tmp_path: Path, clock: VirtualClock) -> None:
    reading = measured(Logger(tmp_path / "power.csv", clock, silent=(20, 21)), clock)
    assert reading.joules == pytest.approx(400 * 30)


def test_a_slow_meter_may_be_slow_and_it_is_told(tmp_path: Path, clock: VirtualClock) -> None:
    reading = measured(Logger(tmp_path / "power.csv", clock, silent=(15, 25)), clock, period=5)
    assert reading.joules == pytest.approx(400 * 30)
    assert reading.notes == ("slow_meter: every 5 s",)
    reading = measured(Logger(tmp_path / "power.csv", clock, silent=(15, 35)), clock, period=5)
    assert reading.reasons == ("sample_gap",)


@pytest.mark.parametrize(
    ("watts", "said"),
    [
        ("-1", "below 0"),
        ("nan", "not a finite number"),
        ("inf", "not a finite number"),
        ("off", "its watts are not a number"),
        ("", "its watts are not a number"),
        ("4e9", "4e+09 is not a number of watts"),
        ('"400', "unexpected end of data"),
    ],
)
def test_what_is_not_watts_names_its_line(tmp_path: Path, clock: VirtualClock, watts: str, said: str) -> None:
    logger = Logger(tmp_path / "power.csv", clock, power=lambda at: watts if 20 <= at < 20.5 else 400.0)
    reading = measured(logger, clock)
    assert reading.joules is None
    assert reading.reasons == (f"external_unreadable: line 23 of power.csv: {said}",)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("noon,400", "its time is neither Unix seconds nor ISO 8601"),
        ("2026-11-22T07:00:00,400", "its time has no time zone"),
        (f"{EPOCH * 1000:.0f},400", "its time is not in seconds"),
        ("nan,400", "its time is not a finite number"),
        ("1,400", "it goes back in time"),
        ("400", "too few columns"),
    ],
)
def test_times_that_cannot_be_read_name_their_line(tmp_path: Path, clock: VirtualClock, line: str, said: str) -> None:
    path = tmp_path / "power.csv"
    now = EPOCH + clock.now()
    if said == "too few columns":
        line = f"{now - 1}"
    path.write_text(f"time,watts\n{now - 2},400\n{line}\n{now},400\n", encoding="utf-8")
    with pytest.raises(NoMeter) as reason:
        opened(path, clock).source.read(now - 1.5, now - 0.5)
    assert reason.value.code == "external_unreadable"
    assert reason.value.detail == f"line 3 of power.csv: {said}"


def test_a_fault_outside_of_the_stretch_is_none_of_its_business(tmp_path: Path, clock: VirtualClock) -> None:
    logger = Logger(tmp_path / "power.csv", clock, power=lambda at: "off" if 2 <= at < 2.5 else 400.0)
    with clock.every(1, logger):
        clock.wait(100.5)
        meter = opened(logger.path, clock)
        begin = meter.mark()
        clock.wait(30)
        assert meter.between(begin, meter.mark()).joules == pytest.approx(400 * 30)


def test_a_meter_that_says_zero_has_not_measured(tmp_path: Path, clock: VirtualClock) -> None:
    reading = measured(Logger(tmp_path / "power.csv", clock, power=lambda at: 0.0), clock)
    assert reading.joules is None
    assert reading.reasons == ("power_implausible: 0 W",)


def test_half_a_line_is_left_for_later(tmp_path: Path, clock: VirtualClock) -> None:
    path = tmp_path / "power.csv"
    now = EPOCH + clock.now()
    path.write_text(f"time,watts\n{now - 1},400\n{now},4", encoding="utf-8")
    source = CsvSource(path)
    assert source.read(now, now) == [Series([now - 1], [400])]
    with path.open("a", encoding="utf-8") as file:
        file.write("20\n")
    assert source.read(now, now) == [Series([now - 1, now], [400, 420])]


def test_a_file_begun_anew_is_read_anew(tmp_path: Path, clock: VirtualClock) -> None:
    path = tmp_path / "power.csv"
    path.write_text("time,watts\n1,400\n2,400\n", encoding="utf-8")
    source = CsvSource(path)
    source.read(1, 2)
    path.write_text("watts,time\n300,3\n", encoding="utf-8")
    assert source.read(3, 3) == [Series([3], [300])]


def test_a_file_that_is_not_there_is_absent(tmp_path: Path, clock: VirtualClock) -> None:
    with pytest.raises(NoMeter) as reason:
        opened(tmp_path / "power.csv", clock)
    assert (reason.value.code, reason.value.detail) == ("external_absent", "power.csv is not there")


def test_a_file_that_goes_away_leaves_no_figure(tmp_path: Path, clock: VirtualClock) -> None:
    logger = Logger(tmp_path / "power.csv", clock)
    meter = opened(logger.path, clock)
    begin = meter.mark()
    logger.path.unlink()
    clock.wait(30)
    reading = meter.between(begin, meter.mark())
    assert reading.joules is None
    assert reading.reasons == ("external_absent: power.csv is not there",)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "external_unreadable"),
        ("time,power\n", "external_unreadable"),
        ("when;watts\n", "external_unreadable"),
        ("time,watts\n", "external_absent"),
        ("time,watts\n1,400\n", "external_absent"),
        ("time,watts\n2000000000,400\n", "external_unreadable"),
    ],
)
def test_a_file_without_a_running_meter_is_no_meter(tmp_path: Path, clock: VirtualClock, text: str, code: str) -> None:
    path = tmp_path / "power.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NoMeter) as reason:
        opened(path, clock)
    assert reason.value.code == code
    assert reason.value.mend


def test_a_folder_is_no_file(tmp_path: Path, clock: VirtualClock) -> None:
    with pytest.raises(NoMeter) as reason:
        opened(tmp_path, clock)
    assert reason.value.code == "external_unreadable"


def test_a_clock_that_was_set_leaves_no_figure(tmp_path: Path, clock: VirtualClock) -> None:
    logger = Logger(tmp_path / "power.csv", clock)
    ahead = 0.0
    meter = open_external(clock, CsvSource(logger.path), "wall", lambda: EPOCH + clock.now() + ahead)
    with clock.every(1, logger):
        begin = meter.mark()
        clock.wait(30)
        ahead = -5.0
        reading = meter.between(begin, meter.mark())
    assert reading.joules is None
    assert reading.reasons == ("clock_stepped: by -5.0 s",)
    assert meter.facts.scope == "wall"
    meter.sample()
    meter.close()


@given(
    st.lists(st.tuples(st.floats(0.05, 2.9), st.floats(0, 1e4)), min_size=2, max_size=50),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_watts_and_the_joules_they_make_agree(steps: list[tuple[float, float]], one: float, other: float) -> None:
    """A counter is the exact integral of power that is constant between readings."""
    times, joules = [100.0], [0.0]
    for seconds, watts in steps:
        times.append(times[-1] + seconds)
        joules.append(joules[-1] + seconds * watts)
    begin, end = sorted(times[0] + share * (times[-1] - times[0]) for share in (one, other))
    found, reason = energy(Series(times, joules), begin, end, counter=True)
    assert reason == ""
    powers = [watts for _, watts in steps]
    exact = sum(
        watts * max(0.0, min(end, until) - max(begin, since))
        for since, until, watts in zip(times, times[1:], powers, strict=False)
    )
    assert found == pytest.approx(exact, abs=1e-6, rel=1e-9)


def test_a_counter_that_falls_was_reset() -> None:
    found, reason = energy(Series([0, 1, 2], [10, 20, 5]), 0.5, 1.5, counter=True)
    assert math.isnan(found)
    assert reason == "counter_reset"


@dataclass
class Prometheus:
    """A server that answers instant queries with the samples so far; `samples` by series, or what else it says."""

    clock: VirtualClock
    samples: list[list[tuple[float, str]]] = field(default_factory=list)
    answer: tuple[int, bytes] | None = None
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    address: str = ""

    def says(self, query: dict[str, list[str]]) -> tuple[int, bytes]:
        self.asked.append(query)
        if self.answer is not None:
            return self.answer
        at, span = float(query["time"][0]), float(query["query"][0].rpartition("[")[2].removesuffix("s]"))
        now = EPOCH + self.clock.now()
        result = [
            {
                "metric": {"instance": str(number)},
                "values": [one for one in series if at - span < one[0] <= min(at, now)],
            }
            for number, series in enumerate(self.samples)
        ]
        told: dict[str, Any] = {"status": "success", "data": {"resultType": "matrix", "result": result}}
        return 200, json.dumps(told).encode()


@pytest.fixture
def server(clock: VirtualClock) -> Iterator[Prometheus]:
    prometheus = Prometheus(clock)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            status, body = prometheus.says(parse_qs(url.query)) if url.path == "/api/v1/query" else (404, b"no such")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any, **kwargs: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        prometheus.address = f"http://127.0.0.1:{http.server_address[1]}"
        yield prometheus
        http.shutdown()
        thread.join()


def scraped(clock: VirtualClock, value: Callable[[float], object], period: float = 5) -> list[tuple[float, str]]:
    """Samples for ten minutes around now."""
    start = EPOCH + clock.now() - 300
    return [(start + n * period, str(value(n * period))) for n in range(int(600 / period))]


def through(server: Prometheus, clock: VirtualClock, selector: str = "node_power_watts") -> Reading:
    meter = open_external(clock, prometheus(server.address + "/", selector), "node", unix(clock))
    begin = meter.mark()
    clock.wait(30)
    return meter.between(begin, meter.mark())


def test_watts_of_all_series_are_summed(server: Prometheus, clock: VirtualClock) -> None:
    server.samples = [scraped(clock, lambda at: 400), scraped(clock, lambda at: 300.5)]
    reading = through(server, clock, 'node_power_watts{instance=~"a,b"}')
    assert reading.joules == pytest.approx(700.5 * 30)
    assert reading.notes == ("slow_meter: every 5 s",)
    assert server.asked[-1]["query"] == ['node_power_watts{instance=~"a,b"}[270s]']


def test_joules_are_told_by_their_name(server: Prometheus, clock: VirtualClock) -> None:
    server.samples = [scraped(clock, lambda at: 5e6 + 250 * at)]
    source = prometheus(server.address, "node_rapl_package_joules_total")
    assert source.counter
    assert open_external(clock, source, "node", unix(clock)).facts.method == "counter"
    assert through(server, clock, "node_rapl_package_joules_total").joules == pytest.approx(250 * 30)


def test_a_counter_reset_leaves_no_figure(server: Prometheus, clock: VirtualClock) -> None:
    server.samples = [scraped(clock, lambda at: 250 * at if at < 315 else 250 * (at - 315))]
    reading = through(server, clock, "host_joules_total")
    assert reading.joules is None
    assert reading.reasons == ("counter_reset",)


def test_samples_that_are_not_there_are_not_repeated(server: Prometheus, clock: VirtualClock) -> None:
    samples = scraped(clock, lambda at: 400)
    server.samples = [[one for one in samples if not 302 < one[0] - samples[0][0] < 325]]
    assert through(server, clock).reasons == ("sample_gap",)


def test_a_series_that_ends_does_not_end_the_stretch(server: Prometheus, clock: VirtualClock) -> None:
    samples = scraped(clock, lambda at: 400)
    server.samples = [samples, samples[:62]]
    assert through(server, clock).reasons == ("not_bracketed",)


def test_a_series_more_than_at_the_beginning_is_another_sum(server: Prometheus, clock: VirtualClock) -> None:
    server.samples = [scraped(clock, lambda at: 400)]
    meter = open_external(clock, prometheus(server.address, "node_power_watts"), "node", unix(clock))
    begin = meter.mark()
    clock.wait(30)
    server.samples *= 2
    reading = meter.between(begin, meter.mark())
    assert reading.joules is None
    assert reading.reasons == ("external_unreadable: 2 series, where there were 1",)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-4", "4e12", "off"])
def test_samples_that_are_not_watts_are_unreadable(server: Prometheus, clock: VirtualClock, value: str) -> None:
    server.samples = [scraped(clock, lambda at: value if at == 310 else 400)]
    reading = through(server, clock)
    assert reading.joules is None
    assert reading.reasons[0].startswith("external_unreadable: Prometheus: ")
    server.samples = [scraped(clock, lambda at: value if at == 290 else 400)]
    with pytest.raises(NoMeter) as reason:
        through(server, clock)
    assert reason.value.code == "external_unreadable"


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (
            (400, b'{"status":"error","errorType":"bad_data","error":"1:9: parse\\nerror"}'),
            "Prometheus says: 1:9: parse error",
        ),
        ((503, b"<html>"), "what answers (HTTP 503) is no Prometheus"),
        ((200, b"[]"), "what answers (HTTP 200) is no Prometheus"),
        (
            (200, b'{"status":"success","data":{"result":[{"metric":{}}]}}'),
            "Prometheus: the answer is not one of samples",
        ),
        ((200, b'{"status":"success","data":{"result":[{"values":[[1]]}]}}'), None),
        ((200, b'{"status":"success","data":3}'), "Prometheus: the answer is not one of samples"),
        (
            (200, b'{"status":"success","warnings":["a store is down"],"data":{"result":[]}}'),
            "Prometheus warns that its answer is not whole",
        ),
    ],
)
def test_a_server_that_answers_amiss_leaves_no_figure(
    server: Prometheus, clock: VirtualClock, answer: tuple[int, bytes], detail: str | None
) -> None:
    server.samples = [scraped(clock, lambda at: 400)]
    meter = open_external(clock, prometheus(server.address, "node_power_watts"), "node", unix(clock))
    begin = meter.mark()
    clock.wait(30)
    server.answer = answer
    reading = meter.between(begin, meter.mark())
    assert reading.joules is None
    assert reading.reasons[0].startswith("external_unreadable: ")
    if detail is not None:
        assert reading.reasons == (f"external_unreadable: {detail}",)


def test_no_series_is_no_meter(server: Prometheus, clock: VirtualClock) -> None:
    with pytest.raises(NoMeter) as reason:
        through(server, clock)
    assert reason.value.code == "external_absent"


def test_no_server_is_absent_and_its_address_is_not_told(clock: VirtualClock) -> None:
    source = prometheus("http://user:hunter2@127.0.0.1:9", "node_power_watts")
    with pytest.raises(NoMeter) as reason:
        open_external(clock, source, "node", unix(clock))
    assert reason.value.code == "external_absent"
    assert "hunter2" not in f"{reason.value!r} {reason.value.mend} {source!r}"
    assert reason.value.__cause__ is None
    assert isinstance(source, PrometheusSource)


@pytest.mark.parametrize(
    ("address", "selector"),
    [
        ("host:9090", "node_power_watts"),
        ("http://host:9090", "sum(node_power_watts)"),
        ("http://host:9090", "node_power_watts[5m]"),
        ("http://host:9090", ""),
    ],
)
def test_what_cannot_be_asked_is_refused(address: str, selector: str) -> None:
    with pytest.raises(UsageError, match="node_power_watts"):
        prometheus(address, selector)
