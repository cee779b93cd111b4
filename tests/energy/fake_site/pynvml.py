"""Stands in for nvidia-ml-py in a program of its own, when this folder is on PYTHONPATH.

The environment variable BENCH_FAKE_NVML has the script, as `tests.energy.scripted.from_json` reads it; the times in it
count from the first import. Without it no library is found, as on a machine without a driver.
"""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))

from bench.energy.clock import RealClock
from tests.energy.scripted import from_json

_nvml = from_json(os.environ.get("BENCH_FAKE_NVML", '{"init_error": 12}'), RealClock())
globals().update({name: getattr(_nvml, name) for name in dir(_nvml) if name.lower().startswith("nvml")})
