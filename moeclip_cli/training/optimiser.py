"""Adam over the adapters, with every expert as a separate parameter."""

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
    """Adam that skips the experts to which no token of a batch was routed.

    An expert without tokens has no gradient, which for Adam differs from a gradient of 0: its
    averages do not change and its step is not counted. The adapters keep all experts of a layer in
    one tensor, and a tensor cannot lack a part of its gradient. The optimiser therefore gets the
    slices of that tensor.

    Args:
        adapters: the adapters to train, on their final device.
        learning_rate: of the first step; set `param_groups` for later ones.
        betas: decay rates of the averages.
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
        """Assign the slices of the gradients to the experts' parameters; call it before `step`."""
        for experts in self._experts:
            gradient, marker = experts.whole.grad, experts.used_with.grad
            used = self._used(marker)
            for number, part in enumerate(experts.slices):
                part.grad = gradient[number] if gradient is not None and used[number] else None

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear all gradients, including those of the adapters' own parameters."""
        super().zero_grad(set_to_none)
        for parameter in self._owners:
            parameter.grad = None

    def _used(self, gradient: Tensor | None) -> list[bool]:
        """For each expert of a layer, whether its output matrix has a non-zero gradient."""
        if gradient is None:
            return []
        if self._all_used:
            return [True] * len(gradient)
        used: list[bool] = gradient.flatten(1).any(dim=1).tolist()
        return used
