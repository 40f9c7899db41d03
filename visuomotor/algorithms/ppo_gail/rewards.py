"""The imitation reward and its blend with the task's."""

from typing import Literal, get_args

from torch import Tensor
from torch.nn.functional import softplus

from visuomotor.errors import VisuomotorError, unknown

Form = Literal["gail", "airl", "negative"]


def imitation_reward(logits: Tensor, form: Form = "gail", clip: float = 10.0) -> Tensor:
    """The reward of looking like the demonstrations to a discriminator D = sigmoid(logits), of any shape.

    * `gail`: -log(1 - D), in [0, clip]: never a loss, so it pays to live long (Zhu et al. 2018, III-A).
    * `negative`: log D, in [-clip, 0]: never a gain, so it pays to be done soon.
    * `airl`: log D - log(1 - D), in [-clip, clip]: takes neither side (Fu et al. 2018).

    All are computed from the logits, where D itself would have rounded to 0 or 1.
    """
    if form == "gail":
        return softplus(logits).clamp(max=clip)
    if form == "negative":
        return (-softplus(-logits)).clamp(min=-clip)
    if form == "airl":
        return logits.clamp(-clip, clip)
    raise unknown("form of imitation reward", form, get_args(Form))


def hybrid_reward(task: Tensor, imitation: Tensor, weight: float) -> Tensor:
    """r = lambda r_imitation + (1 - lambda) r_task, with lambda = `weight` (Zhu et al. 2018, eq. 2)."""
    if not 0 <= weight <= 1:  # NaN fails too
        raise VisuomotorError(
            f"the weight of the imitation reward must be between 0 (task reward only) and 1 (imitation only), "
            f"not {weight}"
        )
    if weight in (0, 1):  # the other one may then be anything, even NaN
        return imitation if weight == 1 else task
    return weight * imitation + (1 - weight) * task
