from __future__ import annotations

import re

import pytest
import torch
from support.golden import open_recording

from moeclip_cli.checkpoints.loading import load_model
from moeclip_cli.training.configuration import TrainingConfig
from moeclip_cli.training.objective import Objective, TextReader, Weights
from moeclip_cli.training.optimiser import AdapterAdam

# The categories of the recorded steps, by the names that they have in the paper's prompts.
PROMPTS = (("candle", "candle"), ("candle", "cashew nut"))
_OURS = (
    (r"^0\.fc\.0\.weight", "text_layer.weight"),
    (r"det_proj\.ln\.(\w+)", r"image_head.norm.\1"),
    (r"det_proj\.adapter\.0\.weight", "image_head.depthwise.weight"),
    (r"det_proj\.adapter\.2\.weight", "image_head.pointwise.weight"),
    (r"seg_proj\.(\d+)\.fc\.weight", r"projections.\1.weight"),
    (r"moe_adapters\.(\d+)\.gate\.weight", r"moe.\1.router"),
    (r"moe_adapters\.(\d+)\.experts\.(\d+)\.lora_B\.weight", r"moe.\1.lora_b/\2"),
)


@pytest.mark.parametrize("mode", ["paper", "released"])
def test_the_recorded_steps(mode, tmp_path):
    """Six steps of the authors' training on stand-in weights: losses and trained tensors."""
    recording = open_recording("small", tmp_path)
    golden = recording.tensors
    config = TrainingConfig("visa", milestones=(3, 5))
    if mode == "released":
        config = config.as_released()
    network = load_model(
        str(recording.model), backbone_weights=recording.backbone, image_size=recording.image_size
    ).network.train()
    for layer in network.adapters.moe:
        layer.dropout.p = 0.0  # the recording has none in either mode
        layer.lora_a.requires_grad_(False)
    objective = Objective(network, Weights(config.balance_weight, config.etf_weight))
    optimiser = AdapterAdam(
        network.adapters,
        config.learning_rate,
        (config.beta1, config.beta2),
        all_experts_used=config.etf_weight > 0,
    )
    read = TextReader(network)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
    deviation = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
    for step, expected in enumerate(golden[f"train.{mode}.losses"]):
        images = (golden["train.pixels"][step].permute(0, 3, 1, 2) / 255 - mean) / deviation
        masks = golden["train.masks"][step].squeeze(1).float()
        labels = golden["train.labels"][step]
        losses = objective(images, masks, labels, read(PROMPTS[step % 2]))
        assert torch.allclose(losses.double(), expected, rtol=1e-4, atol=0)
        losses[0].backward()
        for group in optimiser.param_groups:
            group["lr"] = config.rate_at(step)
        optimiser.share_out_gradients()
        optimiser.step()
        optimiser.zero_grad()
    check_trained(network.adapters.state_dict(), golden, f"train.{mode}.final.")


def check_trained(state, golden, prefix):
    """Every trained tensor lies within 1e-5 of the recorded one."""
    names = [name for name in golden if name.startswith(prefix)]
    assert len(names) == 29
    for name in names:
        ours = name.removeprefix(prefix).partition(".")[2]
        for pattern, replacement in _OURS:
            ours = re.sub(pattern, replacement, ours)
        ours, _, expert = ours.partition("/")
        tensor = state[ours][int(expert)] if expert else state[ours]
        assert (tensor - golden[name]).abs().max() < 1e-5, ours
