"""The text side of a finished model: two features in place of the text tower and its layer.

Prompts mean nothing to this model, which sees random names in training and is run with one prompt
for all. What the text side makes of that prompt is all that a finished model needs of it.
"""

from __future__ import annotations

import torch
from torch import nn

from mini.validation import VALIDATED_PROMPT
from moeclip_cli.model.backbones.clip import open_clip_state
from moeclip_cli.model.backbones.table import infer_architecture
from moeclip_cli.model.heads import LearnedText
from moeclip_cli.model.moeclip import MoECLIP


def fold_text_side(network: MoECLIP) -> None:
    """Replace the text side, in place, by its features of `VALIDATED_PROMPT`, which stay frozen."""
    with torch.no_grad():
        features = network.encode_text([VALIDATED_PROMPT])[0]
    with torch.device("meta"):  # without drawing random numbers
        network.adapters.learned_text = LearnedText(len(features))
    network.adapters.learned_text.features = nn.Parameter(features, requires_grad=False)
    network.adapters.text_layer = None
    backbone = network.backbone
    backbone.text = None
    backbone.architecture = infer_architecture(open_clip_state(backbone))
