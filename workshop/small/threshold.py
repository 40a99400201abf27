"""The threshold of the finished model, on clean pictures that training never showed."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from mini.validation import FALSE_ALARMS

from moeclip_cli.checkpoints.configuration import Threshold
from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.inspection.conformal import (
    attainable_rate,
    conformal_threshold,
    describe_conformal,
)
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.model.scoring import score
from small.photographs import Photographs
from small.pictures import Pixels, make_pair
from small.recipe import Recipe

# Side of the pictures in pixels, independent of the network's input size.
_SIDE = 320
# Clean pictures of other pairs than those that the training is chosen on.
_FIRST = 1_000_000


@torch.inference_mode()
def measured_threshold(
    network: MoECLIP, recipe: Recipe, seed: int, sources: Photographs
) -> Threshold:
    """The conformal threshold on clean pictures, half of them generated, half photographs.

    Args:
        network: finished, in evaluation mode.
        recipe: of its training.
        seed: of the pictures.
        sources: photographs that were held out of training.
    """
    text = network.encode_text(["object"])[0]
    scores = []
    for pixels in _clean(recipe, seed, sources):
        image = preprocess(pixels, recipe.size, network.preprocessing)[None]
        found = score(network(image, text), recipe.size, "industrial", recipe.image_weight)
        scores.append(float(found.score))
    count = len(scores)
    return Threshold(
        conformal_threshold(scores, attainable_rate(count, FALSE_ALARMS)),
        describe_conformal(
            count, "generated images and photographs held out of training", FALSE_ALARMS
        ),
    )


def _clean(recipe: Recipe, seed: int, sources: Photographs) -> Iterator[Pixels]:
    for number in range(2 * recipe.choosing):
        share = float(number % 2)
        yield make_pair(seed, _FIRST + number, _SIDE, sources, share).clean
