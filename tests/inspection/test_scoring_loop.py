import threading

import numpy as np
import pytest
import torch

from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.inspection.good_scores import GoodScores
from moeclip_cli.inspection.grading import Grading
from moeclip_cli.inspection.network_input import network_batch
from moeclip_cli.inspection.prepared import PreparedImage
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.scoring_loop import ScoringLoop
from moeclip_cli.inspection.verdicts import Threshold
from moeclip_cli.model.backbones.clip import CLIP

GRADING = Grading("model", Threshold(0.5), 0, GoodScores())


def load(path):
    return PreparedImage(path, "part", error="broken" if path == "4" else None)


def loop(inspect, *, overlap, ends_batch=None):
    return ScoringLoop(GRADING, load, inspect, 3, 2, ends_batch, overlap)


def results_of(items):
    return [Result(item.path, item.prompt, "model", score=float(item.path)) for item in items]


@pytest.mark.parametrize("overlap", [False, True])
def test_results_keep_the_order_of_the_images(overlap):
    paths = [str(number) for number in range(10)]
    found = list(loop(results_of, overlap=overlap).results(paths))
    assert [result.path for result in found] == paths
    assert [result.error for result in found] == [None] * 4 + ["broken"] + [None] * 5


@pytest.mark.parametrize("overlap", [False, True])
def test_batches_are_cut_alike(overlap):
    sizes = []
    ends = iter([False, True] * 5)

    def inspect(items):
        sizes.append(len(items))
        return results_of(items)

    paths = [str(number) for number in range(5, 15)]
    assert len(list(loop(inspect, overlap=overlap, ends_batch=lambda: next(ends)).results(paths)))
    assert sizes == [2] * 5


def test_the_next_batch_is_inspected_while_results_are_used():
    second = threading.Event()

    def inspect(items):
        if items[0].path == "3":
            second.set()
        return results_of(items)

    results = loop(inspect, overlap=True).results(["0", "1", "2", "3", "5"])
    assert next(results).path == "0"
    assert second.wait(timeout=10)
    results.close()
    assert not [each for each in threading.enumerate() if each.name.startswith("moeclip-network")]


def test_a_failure_of_the_network_is_raised():
    def inspect(items):
        raise MemoryError

    with pytest.raises(MemoryError):
        list(loop(inspect, overlap=True).results(["0", "1"]))


def test_images_that_are_normalised_on_the_device_are_those_of_preprocessing():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 28, 42, 3), dtype=np.uint8)
    found = network_batch(list(pixels), CLIP.preprocessing, torch.device("cpu"))
    expected = [preprocess(image, (28, 42), CLIP.preprocessing) for image in pixels]
    assert torch.equal(found, torch.stack(expected))
    assert found.is_contiguous()
