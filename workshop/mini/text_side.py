"""Text side, fitted separately before the image side.

Untrained, "normal" and "abnormal" give nearly the same vector, which is useless as a target of the
image side. A few hundred steps on sentences separate the two, for any name of the object.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from mini.recipe import Recipe
from moeclip_cli.model.moeclip import MoECLIP

_WORDS = (
    "object",
    "part",
    "product",
    "item",
    "surface",
    "texture",
    "material",
    "component",
    "sample",
    "workpiece",
    "metal",
    "steel",
    "aluminium",
    "copper",
    "brass",
    "iron",
    "plastic",
    "rubber",
    "glass",
    "ceramic",
    "wood",
    "paper",
    "cardboard",
    "leather",
    "fabric",
    "textile",
    "cloth",
    "carpet",
    "tile",
    "brick",
    "stone",
    "concrete",
    "marble",
    "foam",
    "film",
    "foil",
    "coating",
    "paint",
    "plate",
    "sheet",
    "panel",
    "board",
    "bracket",
    "washer",
    "nut",
    "bolt",
    "screw",
    "gear",
    "bearing",
    "spring",
    "ring",
    "tube",
    "pipe",
    "wire",
    "cable",
    "connector",
    "plug",
    "socket",
    "capsule",
    "pill",
    "tablet",
    "bottle",
    "cap",
    "lid",
    "box",
    "bag",
    "label",
    "print",
    "chip",
    "wafer",
    "cell",
    "module",
    "circuit",
    "lens",
    "mirror",
    "fibre",
    "thread",
    "seam",
    "weld",
    "joint",
    "flange",
    "valve",
    "pump",
    "rotor",
    "blade",
)
_NAMES_PER_STEP = 12
_RATE = 2e-3


def random_names(rng: np.random.Generator, vocabulary: int, count: int) -> list[str]:
    """Draw object names, a third of common words and the rest of any words of the vocabulary.

    The prompt must not mislead a model that does not know the meaning of its words.
    """
    words = _decodable_words(vocabulary)
    names = []
    for _ in range(count):
        source = _WORDS if rng.random() < 1 / 3 else words
        names.append(" ".join(rng.choice(source, int(rng.integers(1, 4)))))
    return names


@functools.cache
def _decodable_words(vocabulary: int) -> tuple[str, ...]:
    """Return all words of plain letters among the tokens that the text tower has embeddings for."""
    tokens = SimpleTokenizer().decoder
    endings = (tokens[number] for number in range(min(vocabulary, len(tokens) - 2)))
    return tuple(word[:-4] for word in endings if word.endswith("</w>") and word[:-4].isalpha())


def fit_text_side(network: MoECLIP, recipe: Recipe) -> None:
    """Separate the features of the two states, and bring those of one state together."""
    rng = np.random.default_rng([recipe.seed, 1])
    vocabulary = network.backbone.text.token_embedding.num_embeddings
    names = random_names(rng, vocabulary, _NAMES_PER_STEP * recipe.text_steps)
    parameters = [*network.backbone.text.parameters(), *network.adapters.text_layer.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(parameters, lr=_RATE, weight_decay=0.01)
    for step in range(recipe.text_steps):
        optimiser.param_groups[0]["lr"] = _RATE * (1 - step / recipe.text_steps)
        batch = names[step * _NAMES_PER_STEP : (step + 1) * _NAMES_PER_STEP]
        loss = _separation_loss(network.encode_text(batch))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def text_bank(network: MoECLIP, names: list[str]) -> Tensor:
    """Return the text features (n, C, 2) of many names, without gradients."""
    with torch.no_grad():
        return torch.cat([network.encode_text(names[i : i + 32]) for i in range(0, len(names), 32)])


def _separation_loss(features: Tensor) -> Tensor:
    """Return the mean cosine between the states plus the mean cosine distance within each."""
    cross = (features[..., 0] @ features[..., 1].T).mean()
    spread = sum(1 - (side @ side.T).mean() for side in features.unbind(-1))
    return cross + spread
