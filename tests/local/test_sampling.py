"""CPU and memory of local tasks are measured correctly and published as Container Insights does."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.local.engines import Usage
from infra.local.engines.choice import choose
from infra.local.engines.process import ProcessEngine
from infra.local.sampling import Meter
from tests.local.local_yard import LocalYard, local_yard

MIB = 1024 * 1024
MINUTE = 1_000_000 * 60.0


def points(yard: LocalYard, name: str, **dimensions: str) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    return list(
        yard.client("cloudwatch").get_metric_statistics(
            Namespace="ECS/ContainerInsights",
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=3600,
            Statistics=["Average", "Sum", "SampleCount"],
        )["Datapoints"]
    )


def test_cpu_and_memory_of_a_process_task_are_measured(tmp_path: Path) -> None:
    """
    Cores are within 15 % of the CPU time that the kernel counted, bytes within 15 % of 100 MB.
    """
    script = """
import json, resource, time
held = b"x" * 100_000_000
began = time.monotonic()
while time.monotonic() - began < 3:
    pass
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([used.ru_utime + used.ru_stime, time.monotonic() - began]))
"""
    with local_yard(ProcessEngine({}), tmp_path) as yard:
        task = yard.finish("python", "-c", script)
        task_id = task["taskArn"].rsplit("/", 1)[-1]
        burnt, seconds = json.loads(yard.lines(task["taskArn"])[-1])
        for more in ({}, {"TaskId": task_id}):
            where = {"ClusterName": "yard", "TaskDefinitionFamily": "job", **more}
            cpu, memory = (
                points(yard, "CpuUtilized", **where),
                points(yard, "MemoryUtilized", **where),
            )
            assert cpu[0]["Average"] / 1024 == pytest.approx(burnt / seconds, rel=0.15)
            held = memory[0]["Sum"] / memory[0]["SampleCount"] * MIB
            assert held == pytest.approx(100_000_000, rel=0.15)
            assert (cpu[0]["Unit"], memory[0]["Unit"]) == ("None", "Megabytes")


def test_cpu_and_memory_of_a_container_task_are_measured(
    container_image: str, tmp_path: Path
) -> None:
    """They are compared with the CPU time that the container's own shell counted."""
    burn = "e=$(($(date +%s) + 4)); while [ $(date +%s) -lt $e ]; do :; done"
    script = f"""
        cat /proc/uptime
        x=$(head -c 100000000 /dev/zero | tr '\\0' x)
        {burn}
        times
        cat /proc/uptime
    """
    with local_yard(choose("docker", {}), tmp_path) as yard:
        task = yard.finish("sh", "-c", script, image=container_image, cpu=512, memory=1024)
        where = {"ClusterName": "yard", "TaskDefinitionFamily": "job"}
        cpu, memory = points(yard, "CpuUtilized", **where), points(yard, "MemoryUtilized", **where)
        began, *times, ended = yard.lines(task["taskArn"])
        seconds = float(ended.split()[0]) - float(began.split()[0])
        burnt = sum(
            60 * float(minutes) + float(rest)
            for minutes, rest in re.findall(r"(\d+)m([\d.]+)s", " ".join(times))
        )
        assert cpu[0]["Average"] / 1024 == pytest.approx(burnt / seconds, rel=0.15)
        held = memory[0]["Sum"] / memory[0]["SampleCount"] * MIB
        assert held == pytest.approx(100_000_000, rel=0.15)


def test_each_minute_of_a_task_is_one_point() -> None:
    """It has the average of the part of the minute that the task ran, and the memory held in it."""
    meter = Meter(MINUTE + 30)
    assert meter.read(MINUTE + 40, Usage(5.0, 10 * MIB)) is None
    assert meter.read(MINUTE + 50, Usage(10.0, 30 * MIB)) is None
    first = meter.read(MINUTE + 61, Usage(12.0, 20 * MIB))
    assert first is not None
    assert first.cpu_units == pytest.approx(512)
    assert first.memory_bytes == 30 * MIB
    assert MINUTE + 30 <= first.at < MINUTE + 60
    second = meter.end(MINUTE + 70, cpu_seconds=15.0)
    assert second is not None
    assert second.cpu_units == pytest.approx(5 / 20 * 1024)
    assert second.memory_bytes == 20 * MIB


def test_a_short_peak_of_memory_is_not_reported_as_the_usage() -> None:
    """Neither the small memory at the start nor a copy that was freed at once is reported."""
    meter = Meter(MINUTE)
    for second, mib in enumerate([5, 200, 100, 100, 100, 100, 100, 100, 100, 5]):
        meter.read(MINUTE + second, Usage(0.0, mib * MIB))
    assert meter.end().memory_bytes == 100 * MIB  # type: ignore[union-attr]


def test_a_minute_without_a_reading_has_no_point() -> None:
    """A missing value gives an empty list, never a zero."""
    assert Meter(MINUTE).end(MINUTE + 1, cpu_seconds=1.0) is None


def test_the_last_point_includes_cpu_time_since_the_last_sample() -> None:
    """The engine may know the exact CPU time at the task's end."""
    meter = Meter(MINUTE)
    meter.read(MINUTE + 1, Usage(0.5, MIB))
    assert meter.end(MINUTE + 2, cpu_seconds=2.0).cpu_units == pytest.approx(1024)  # type: ignore[union-attr]
    assert meter.end().cpu_units == pytest.approx(512)  # type: ignore[union-attr]


def test_cpu_of_a_task_whose_start_was_noticed_late_is_that_between_its_readings() -> None:
    """It began 0.7 s before the engine answered, and used half a core all the time."""
    meter = Meter(MINUTE, is_exact=False)
    for second in (0.5, 1.0, 1.5, 2.0):
        meter.read(MINUTE + second, Usage((0.7 + second) / 2, MIB))
    assert meter.end().cpu_units == pytest.approx(512)  # type: ignore[union-attr]


def test_a_task_with_one_reading_has_the_average_since_its_start() -> None:
    """There is nothing better for a task of less than a second."""
    meter = Meter(MINUTE, is_exact=False)
    meter.read(MINUTE + 0.5, Usage(0.25, MIB))
    assert meter.end().cpu_units == pytest.approx(512)  # type: ignore[union-attr]
