"""Several processes that learn one policy (torchrun): what they must agree on."""

import os
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from visuomotor.ppo_gail.normaliser import Moments


class Ranks:
    """The processes of a job; one alone is a job too, and nothing is sent.

    torchrun tells each process its number through the environment.
    """

    def __init__(self) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.number = int(os.environ.get("RANK", "0"))
        if self.count > 1 and not dist.is_initialized():
            dist.init_process_group("gloo")  # small tensors on the CPU, whatever the networks run on

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and talks."""
        return self.number == 0

    def sum(self, values: Tensor) -> Tensor:
        """The sum over processes, on the CPU."""
        total = values.detach().cpu().clone()
        if self.count > 1:
            dist.all_reduce(total)
        return total

    def sum_gradients(self, module: nn.Module) -> None:
        """Each parameter's gradient becomes the sum over processes: losses are sums over a share of the samples."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        total = self.sum(flat).to(flat.device)
        for gradient, part in zip(gradients, total.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def merge_moments(self, moments: Moments) -> Iterable[Moments]:
        """The moments of every process, in the order of their numbers."""
        if self.count == 1:
            return [moments]
        gathered: list[Any] = [None] * self.count
        dist.all_gather_object(gathered, moments)
        return gathered

    def gather(self, content: Any) -> list[Any]:
        """What every process gave, for the first one; the others get an empty list."""
        if self.count == 1:
            return [content]
        gathered: list[Any] | None = [None] * self.count if self.first else None
        dist.gather_object(content, gathered)
        return gathered or []

    def copy_from_first(self, module: nn.Module) -> None:
        """Give every process the first one's weights."""
        if self.count > 1:
            for tensor in module.state_dict().values():
                dist.broadcast(tensor, 0)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            dist.barrier()
