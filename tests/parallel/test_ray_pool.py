"""The pool on a real cluster; its actors import neither PyTorch nor this package."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from moeclip_cli.errors import ModelError, ProcessLostError

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow


class Worker:
    def start(self):
        self.node = ray.get_runtime_context().get_node_id()

    def work(self, task):
        number, folder = task
        (Path(folder) / f"{number}-{self.node}").touch()
        while self.node not in (Path(folder) / "going-on").read_text():
            time.sleep(0.01)
        return number


class Failing(Worker):
    def work(self, task):
        number, folder = task
        tries = Path(folder) / str(number)
        tries.open("a").write("x")
        if number == 1 and len(tries.read_text()) < 3:
            raise RuntimeError("a bad moment")
        if number == 7:
            raise ModelError("the model does not fit")
        return number


class Dying(Worker):
    def work(self, task):
        os._exit(1)


@pytest.fixture
def joined(small_cluster):
    from moeclip_cli.parallel.ray_cluster import joined

    with joined(small_cluster.address):
        yield small_cluster


def pool(kind, size, cpus=1, **options):
    from moeclip_cli.parallel.ray_pool import RayPool

    actor = ray.remote(kind).options(num_cpus=cpus, max_restarts=0, max_task_retries=0)
    return RayPool(actor.remote, size, **options)


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_tasks_of_a_lost_node_are_done_by_others_and_results_stay_in_order(joined, tmp_path):
    """The cluster does not get the node back, so the lost actor cannot be started again."""
    node = joined.add_node()
    nodes = {each["NodeID"] for each in ray.nodes()}
    assert node.node_id in nodes
    going_on = tmp_path / "going-on"
    going_on.touch()
    remarks = []
    workers = pool(Worker, 3, remark=remarks.append)

    def lose_the_node():
        """When the sixth task is read, each of the three actors works on one."""
        for number in range(12):
            if number == 5:
                wait_until(lambda: len(list(tmp_path.glob("*-*"))) == 3 + 1)
                joined.kill_node(node)
                living = [each for each in nodes if each != node.node_id]
                going_on.write_text(" ".join(living))
            yield number, str(tmp_path)

    assert list(workers.map(lose_the_node())) == list(range(12))
    assert workers.retries >= 1
    assert all("is tried again" in each for each in remarks)


def test_a_failed_task_is_tried_again_but_not_after_a_final_error(joined, tmp_path):
    results = pool(Failing, 1).map((number, str(tmp_path)) for number in range(9))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert (tmp_path / "1").read_text() == "xxx"
    with pytest.raises(ModelError, match="does not fit"):
        list(results)
    assert (tmp_path / "7").read_text() == "x"


def test_a_task_that_kills_its_actor_again_and_again_ends_the_stream(joined):
    with pytest.raises(ProcessLostError, match="A task was lost 3 times"):
        list(pool(Dying, 1, depth=1).map([1]))


def test_a_cluster_without_room_is_an_error_after_a_while(joined):
    with pytest.raises(ProcessLostError, match="no room for an actor for 1 s"):
        list(pool(Worker, 1, cpus=50, patience_s=1).map([1]))
