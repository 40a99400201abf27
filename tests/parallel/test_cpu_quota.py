"""Limits of processor time, in the files of the two versions of Linux control groups."""

from __future__ import annotations

import pytest
import torch

from moeclip_cli.parallel import cores, device
from moeclip_cli.parallel.cores import available_cores
from moeclip_cli.parallel.cpu_quota import cpu_quota
from moeclip_cli.parallel.device import limit_threads

V1 = "4:memory:/pod\n2:cpu,cpuacct:/pod/box\n1:name=systemd:/\n"
V2 = "0::/pod/box\n"


def limited(root, group, files):
    """A file system with these files of control groups."""
    for name, content in {"proc/self/cgroup": group, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return cpu_quota(root)


@pytest.mark.parametrize(
    ("group", "files", "quota"),
    [
        (V2, {"sys/fs/cgroup/pod/box/cpu.max": "150000 100000\n"}, 1.5),
        (V2, {"sys/fs/cgroup/pod/cpu.max": "400000 100000\n"}, 4),  # of a group above
        (V2, {"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5),  # seen from inside a container
        (
            V2,
            {
                "sys/fs/cgroup/pod/box/cpu.max": "max 100000\n",
                "sys/fs/cgroup/pod/cpu.max": "300000 100000\n",
            },
            3,
        ),
        (V2, {"sys/fs/cgroup/pod/box/cpu.max": "max 100000\n"}, None),
        (V2, {"sys/fs/cgroup/pod/box/cpu.max": ""}, None),
        (V2, {}, None),
        ("", {}, None),
        ("nonsense\n\n", {}, None),
        (
            V1,
            {
                "sys/fs/cgroup/cpu,cpuacct/pod/box/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu,cpuacct/pod/box/cpu.cfs_period_us": "100000\n",
            },
            2.5,
        ),
        (
            V1,
            {
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
    ],
)
def test_the_smallest_limit_holds(tmp_path, group, files, quota):
    assert limited(tmp_path, group, files) == quota


@pytest.mark.parametrize(
    ("quota", "expected"), [(None, 8), (20.0, 8), (8.0, 8), (2.9, 2), (0.2, 1)]
)
def test_a_fraction_of_a_core_does_not_count(monkeypatch, quota, expected):
    monkeypatch.setattr(cores, "_visible_cores", lambda: 8)
    monkeypatch.setattr(cores, "cpu_quota", lambda: quota)
    assert available_cores() == expected


@pytest.mark.parametrize(("cores", "chosen", "expected"), [(2, None, 2), (8, None, 3), (2, "3", 3)])
def test_threads_of_torch_fit_the_limit(monkeypatch, cores, chosen, expected):
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if chosen is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", chosen)
    monkeypatch.setattr(device, "available_cores", lambda: cores)
    try:
        torch.set_num_threads(3)
        limit_threads()
        assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)
