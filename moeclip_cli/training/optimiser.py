"""Adam over the adapters, in which every expert is a parameter of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.experts import MoEAdapter


@dataclass(frozen=True, eq=False)
class _Experts:
    """The experts' matrices of a layer, (K, ...), as K parameters that share their memory."""

    whole: nn.Parameter
    slices: list[nn.Parameter]
    used_with: nn.Parameter


class AdapterAdam(torch.optim.Adam):
    """Adam that passes over experts which no token of a batch was sent to.

    An expert that is not run has no gradient, which for Adam is not the same as a gradient of 0:
    its averages stay as they are and its step is not counted. The adapters keep all experts of a
    layer in one tensor, whose gradient cannot be missing in part; so the optimiser is given the
    slices of that tensor.

    Args:
        adapters: what is trained, on its final device.
        learning_rate: of the first step; set `param_groups` for others.
        betas: decay of the averages.
        all_experts_used: whether every expert has a gradient in every batch, as with the ETF loss.
    """

    def __init__(
        self,
        adapters: Adapters,
        learning_rate: float,
        betas: tuple[float, float],
        *,
        all_experts_used: bool,
    ) -> None:
        self._all_used = all_experts_used
        self._experts: list[_Experts] = []
        self._owners = [p for p in adapters.parameters() if p.requires_grad]
        for module in adapters.moe:
            adapter = cast(MoEAdapter, module)
            for whole in (adapter.lora_a, adapter.lora_b):
                if whole.requires_grad:
                    slices = [nn.Parameter(part) for part in whole.detach()]
                    self._experts.append(_Experts(whole, slices, adapter.lora_b))
        sliced = {id(experts.whole) for experts in self._experts}
        plain = [p for p in self._owners if id(p) not in sliced]
        params = [*plain, *(part for experts in self._experts for part in experts.slices)]
        super().__init__(params, lr=learning_rate, betas=betas)

    def share_out_gradients(self) -> None:
        """Give every expert's parameter its part of the gradient; call it before `step`."""
        for experts in self._experts:
            gradient, marker = experts.whole.grad, experts.used_with.grad
            used = self._used(marker)
            for number, part in enumerate(experts.slices):
                part.grad = gradient[number] if gradient is not None and used[number] else None

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, those of the adapters' own parameters included."""
        super().zero_grad(set_to_none)
        for parameter in self._owners:
            parameter.grad = None

    def _used(self, gradient: Tensor | None) -> list[bool]:
        """Which experts of a layer took part, told by the gradient of their output matrices."""
        if gradient is None:
            return []
        if self._all_used:
            return [True] * len(gradient)
        used: list[bool] = gradient.flatten(1).any(dim=1).tolist()
        return used
