import time

from edge_agent.clock import SystemClock
from schemas.segment import CLOCK_NTP, CLOCK_RTC


def test_the_systems_clock_is_utc_and_its_quality_is_the_kernels_word() -> None:
    clock = SystemClock()
    before, now, after = time.time() * 1_000, clock.utc_ms(), time.time() * 1_000

    assert before - 1 <= now <= after + 1
    assert clock.mono_ms() <= clock.mono_ms()
    quality = clock.quality()
    assert quality.source in (CLOCK_RTC, CLOCK_NTP)
    assert quality.uncertainty_ms > 0
