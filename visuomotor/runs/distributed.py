"""Several processes that learn one policy (torchrun): what they must agree on."""

import atexit
import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from visuomotor.engine.thread_pool import available_cores
from visuomotor.errors import VisuomotorError

Content = TypeVar("Content")


class Distributed:
    """The processes of a job; one alone is a job too, and nothing is sent.

    torchrun gives each process its rank in environment variables.
    """

    def __init__(self) -> None:
        self.world_size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if self.world_size > 1 and not dist.is_initialized():
            store, number, count = next(dist.rendezvous("env://"))  # pyright: ignore[reportPrivateImportUsage]
            # After a restart the store still has the addresses of processes that died; a prefix keeps them apart.
            attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
            store = dist.PrefixStore(attempt, store)  # pyright: ignore[reportPrivateImportUsage]
            # gloo: small tensors on the CPU, whatever the networks run on
            dist.init_process_group("gloo", store=store, rank=number, world_size=count)
            # While Python still runs: left to C++ at exit it ends, now and then, in "terminate called" and SIGABRT.
            atexit.register(dist.destroy_process_group)

    @property
    def restarted(self) -> bool:
        """Whether torchrun started this job again after a process of it had died."""
        return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and talks."""
        return self.rank == 0

    @property
    def threads(self) -> int:
        """For engine and camera of one process: its share of the machine's cores; 0, all of them, where it is alone."""
        beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return max(1, available_cores() // beside) if beside > 1 else 0

    def sum(self, values: Tensor) -> Tensor:
        """The sum over processes, on the CPU."""
        total = values.detach().cpu().clone()
        if self.world_size > 1:
            dist.all_reduce(total)
        return total

    def sum_gradients(self, module: nn.Module) -> None:
        """Each parameter's gradient becomes the sum over processes: losses are sums over a share of the samples."""
        if self.world_size == 1:
            return
        gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        total = self.sum(flat).to(flat.device)
        for gradient, part in zip(gradients, total.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def all_gather(self, content: Content) -> list[Content]:
        """What every process gave, for each of them, in the order of their numbers."""
        if self.world_size == 1:
            return [content]
        gathered: list[Any] = [None] * self.world_size
        dist.all_gather_object(gathered, content)
        return gathered

    def gather(self, content: Content) -> list[Content]:
        """What every process gave, for the first one; the others get an empty list."""
        if self.world_size == 1:
            return [content]
        gathered: list[Any] | None = [None] * self.world_size if self.is_main else None
        dist.gather_object(content, gathered)
        return gathered or []

    def broadcast_from_main(self, make: Callable[[], Content]) -> Content:
        """What `make` gives, called in the first process only; where it raises, all raise.

        Raises:
            VisuomotorError: in the first process.
        """
        if self.world_size == 1:
            return make()
        outcome: list[Any] = [None, None]
        if self.is_main:
            try:
                outcome[0] = make()
            except VisuomotorError as error:
                outcome[1] = str(error)
        dist.broadcast_object_list(outcome, 0)
        if outcome[1] is not None:
            raise VisuomotorError(outcome[1])
        return outcome[0]

    def barrier(self) -> None:
        """Until all processes are here."""
        if self.world_size > 1:
            dist.barrier()
