"""What the cgroup lets a process have: v1 and v2, at any depth, in and out of containers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from legacy_doctor.cpu import cgroup
from tests.cpu.trees import put

V2 = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw"
V1_CPU = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct"
V1_MEMORY = "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"


def limits(root: Path, ours: str, mounts: list[str], files: dict[str, str]) -> cgroup.Limits:
    said = {"proc/self/cgroup": ours, "proc/self/mountinfo": "\n".join(mounts)}
    return cgroup.read(put(root, {**said, **{f"sys/fs/cgroup/{k}": v for k, v in files.items()}}))


@pytest.mark.parametrize(
    ("ours", "mounts", "files", "quota", "who"),
    [
        pytest.param("0::/", [V2], {"cpu.max": "max 100000"}, None, "", id="v2 without a limit"),
        pytest.param("0::/a", [V2], {"a/cpu.max": "150000 100000"}, 1.5, "a/cpu.max", id="v2"),
        pytest.param("0::/a", [V2], {"a/cpu.max": "50000"}, 0.5, "a/cpu.max", id="v2, no period"),
        pytest.param(
            "0::/a/b",
            [V2],
            {"a/b/cpu.max": "800000 100000", "a/cpu.max": "300000 100000"},
            3.0,
            "a/cpu.max",
            id="v2, the ancestor binds",
        ),
        pytest.param(
            "4:cpu,cpuacct:/x\n0::/",
            [V1_CPU],
            {
                "cpu,cpuacct/x/cpu.cfs_quota_us": "250000",
                "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
            },
            2.5,
            "cpu,cpuacct/x/cpu.cfs_quota_us",
            id="v1",
        ),
        pytest.param(
            "4:cpu,cpuacct:/x",
            [V1_CPU],
            {"cpu,cpuacct/x/cpu.cfs_quota_us": "-1", "cpu,cpuacct/x/cpu.cfs_period_us": "100000"},
            None,
            "",
            id="v1 without a limit",
        ),
        pytest.param(
            "4:cpu,cpuacct:/docker/4f2",
            [V1_CPU.replace(" / /sys", " /docker/4f2 /sys")],
            {"cpu,cpuacct/cpu.cfs_quota_us": "100000", "cpu,cpuacct/cpu.cfs_period_us": "50000"},
            2.0,
            "cpu,cpuacct/cpu.cfs_quota_us",
            id="v1 in a container that sees its own cgroup at the top",
        ),
        pytest.param(
            "0::/../../elsewhere",
            [V2],
            {"cpu.max": "100000 100000"},
            1.0,
            "cpu.max",
            id="v2 with a path outside of what is mounted",
        ),
        pytest.param(
            "0::/a b",
            [V2.replace("/sys/fs/cgroup", r"/sys/fs/cgroup/with\040space")],
            {"with space/a b/cpu.max": "400000 100000"},
            4.0,
            "with space/a b/cpu.max",
            id="a mount point with a space",
        ),
        pytest.param("0::/", [V2], {"cpu.max": "0 0"}, None, "", id="a period of nothing"),
        pytest.param("7:pids:/", [V1_CPU], {}, None, "", id="a controller that is not ours"),
    ],
)
def test_the_smallest_quota_on_the_way_up_binds(
    ours: str,
    mounts: list[str],
    files: dict[str, str],
    quota: float | None,
    who: str,
    tmp_path: Path,
) -> None:
    found = limits(tmp_path, ours, mounts, files)

    assert found.quota == quota
    assert found.quota_from == (f"/sys/fs/cgroup/{who}" if who else "")


@pytest.mark.parametrize(
    ("ours", "mounts", "files", "memory", "used"),
    [
        pytest.param(
            "0::/a",
            [V2],
            {
                "a/memory.max": "4096",
                "a/memory.current": "3000",
                "a/memory.stat": "inactive_file 1000\nanon 7",
            },
            4096,
            2000,
            id="v2, cached files do not count as used",
        ),
        pytest.param(
            "5:memory:/m",
            [V1_MEMORY],
            {
                "memory/m/memory.limit_in_bytes": "8192",
                "memory/m/memory.usage_in_bytes": "5000",
                "memory/m/memory.stat": "total_inactive_file 1000\ninactive_file 9",
            },
            8192,
            4000,
            id="v1",
        ),
        pytest.param(
            "5:memory:/",
            [V1_MEMORY],
            {"memory/memory.limit_in_bytes": "9223372036854771712"},
            None,
            None,
            id="v1 writes no limit as a huge one",
        ),
        pytest.param("0::/", [V2], {"memory.max": "max"}, None, None, id="v2 without a limit"),
        pytest.param("0::/", [V2], {"memory.max": "99"}, 99, None, id="use is not told"),
    ],
)
def test_the_memory_limit_and_what_is_used_of_it(
    ours: str,
    mounts: list[str],
    files: dict[str, str],
    memory: int | None,
    used: int | None,
    tmp_path: Path,
) -> None:
    found = limits(tmp_path, ours, mounts, files)

    assert (found.memory, found.used) == (memory, used)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    ours=st.text("0123456789:/.,acpu\n", max_size=40),
    mounts=st.lists(st.sampled_from([V2, V1_CPU, "", "- -", "1 2 3 4 x - cgroup2 a"]), max_size=4),
    said=st.text("0123456789max -\n", max_size=20),
)
def test_no_file_makes_it_crash(ours: str, mounts: list[str], said: str, tmp_path: Path) -> None:
    found = limits(tmp_path, ours, mounts, {"cpu.max": said, "memory.max": said})

    assert found.quota is None or found.quota > 0
