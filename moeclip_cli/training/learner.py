"""The network in training: its losses, its optimiser and the engine that runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.training.configuration import TrainingConfig
from moeclip_cli.training.engine import Engine, tower_dtype
from moeclip_cli.training.objective import (
    Objective,
    TextReader,
    Weights,
    recompute_activations,
)
from moeclip_cli.training.optimiser import AdapterAdam


@dataclass(frozen=True, eq=False)
class Learner:
    """Everything that a step computes with.

    Attributes:
        engine: precision and processes.
        network: on its device, in training mode.
        read: features of prompts from the text tower.
        objective: the network with its losses, wrapped by Accelerate.
        adam: the optimiser.
        optimiser: the same, wrapped by Accelerate.
    """

    engine: Engine
    network: MoECLIP
    read: TextReader
    objective: Any
    adam: AdapterAdam
    optimiser: Any


def build_learner(config: TrainingConfig, network: MoECLIP, device: torch.device) -> Learner:
    """Move a network to its device and prepare it for training.

    Args:
        config: the hyper-parameters.
        network: float32, on the CPU; the same object is trained.
        device: device to train on.

    Raises:
        MissingExtraError: if Accelerate is not installed.
        UsageError: if the device does not support the precision.
    """
    engine = Engine(device, config.precision, config.accumulate)
    network.backbone.vision.to(tower_dtype(config.precision))
    network.to(device)
    if config.checkpoint_activations:
        recompute_activations(network)
    adam = AdapterAdam(
        network.adapters,
        config.learning_rate,
        (config.beta1, config.beta2),
        all_experts_used=config.etf_weight > 0,
    )
    weights = Weights(config.balance_weight, config.etf_weight)
    total = engine.sum if engine.processes > 1 else None
    objective, optimiser = engine.accelerator.prepare(
        Objective(network, weights, total, engine.processes), adam
    )
    return Learner(engine, network, TextReader(network), objective, adam, optimiser)
