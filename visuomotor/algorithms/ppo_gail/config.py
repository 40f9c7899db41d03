"""Every setting of reinforcement and imitation learning, and its presets."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from visuomotor.errors import VisuomotorError
from visuomotor.algorithms.ppo_gail.curriculum import Choice
from visuomotor.algorithms.ppo_gail.discriminator import Penalty
from visuomotor.algorithms.ppo_gail.rewards import Form
from visuomotor.runs.config import check_range

_MANY = 10**12
_TINY = 1e-9


@dataclass(frozen=True)
class PolicyConfig:
    """The network that acts."""

    image_size: int = 64
    """Side of the square images in pixels."""
    supersampling: int = 1
    """Rays along each side of a pixel."""
    recurrent: bool = True
    """Whether there is an LSTM; else a layer of its width."""
    auxiliary_hidden: tuple[int, ...] = ()
    """Hidden layers of the head that predicts object positions; the paper says one layer, so none are hidden."""

    def __post_init__(self) -> None:
        check_range("policy.image_size", self.image_size, 20, 1024)
        check_range("policy.supersampling", self.supersampling, 1, 8)
        for width in self.auxiliary_hidden:
            check_range("policy.auxiliary_hidden", width, 1, 100_000)


@dataclass(frozen=True)
class PpoConfig:
    """The policy's update."""

    rollout: int = 25
    """Control steps of a rollout: K of the K-step return, and how far backpropagation goes through time."""
    epochs: int = 4
    """LqrSolver over a rollout."""
    minibatches: int = 4
    """Parts of the worlds, each an update."""
    learning_rate: float = 7e-4
    """Adam's."""
    vision_epochs: int = 1
    """How many of the epochs, the last ones, train the vision layers too. In those before them image features are what
    they were when acting, which saves most of the time of an epoch."""
    vision_learning_rate: float = 1e-4
    """Adam's, of the vision layers."""
    last_learning_rate: float = 0.05
    """What is left of the policy's learning rates at the end; they fall geometrically. The less noise a policy has,
    the farther a step of the same length moves it."""
    clip: float | None = 0.2
    """How far a probability ratio may go before its gradient is cut; None for the KL penalty alone, as in the paper."""
    kl_target: float = 0.05
    """Nats a step that an iteration should move the policy; the penalty's coefficient follows."""
    discount: float = 0.99
    """Gamma, per control step."""
    advantage: Literal["gae", "k-step"] = "gae"
    """Generalised advantages, or the K-step return of the paper."""
    gae_lambda: float = 0.95
    """Lambda of generalised advantages: 1 sums rewards, 0 trusts the critic after a step."""
    entropy: float = 0.0
    """Weight of the policy's entropy at first; it falls linearly to 0 at the end."""
    max_grad_norm: float = 1.0
    """Norm that a gradient is cut to."""

    def __post_init__(self) -> None:
        check_range("ppo.rollout", self.rollout, 1, 100_000)
        check_range("ppo.epochs", self.epochs, 1, 1000)
        check_range("ppo.minibatches", self.minibatches, 1, 100_000)
        check_range("ppo.learning_rate", self.learning_rate, 0, 1)
        check_range("ppo.vision_epochs (of ppo.epochs)", self.vision_epochs, 0, self.epochs)
        check_range("ppo.vision_learning_rate", self.vision_learning_rate, 0, 1)
        check_range("ppo.last_learning_rate", self.last_learning_rate, _TINY, 1)
        if self.clip is not None:
            check_range("ppo.clip", self.clip, _TINY, 100)
        check_range("ppo.kl_target", self.kl_target, _TINY, 100)
        check_range("ppo.discount", self.discount, 0, 1)
        check_range("ppo.gae_lambda", self.gae_lambda, 0, 1)
        check_range("ppo.entropy", self.entropy, 0, 100)
        check_range("ppo.max_grad_norm", self.max_grad_norm, _TINY, 1e9)


@dataclass(frozen=True)
class ExplorationConfig:
    """Exploration noise."""

    noise: Literal["white", "marginal", "exact", "biased"] = "exact"
    """`white`: independent from step to step (the paper's); the correlation is not used. `marginal`: correlated in
    time, with the density of white noise in PPO's ratio. `exact`: correlated, with its true density."""
    correlation: float = 0.8
    """AR(1) coefficient of the noise from one control step to the next, 0 to below 1. White noise at 20 Hz averages out
    before the arm moves."""
    initial_log_std: float = -1.0
    """Logarithm of the first standard deviation of every action, in parts of its limit."""
    std_schedule: Literal["learned", "geometric", "linear"] = "learned"
    """Whether the standard deviation is learned, or goes from the initial to the final one whatever happens."""
    final_log_std: float = -2.0
    """Logarithm of the last standard deviation of a schedule."""
    log_std_learning_rate: float = 7e-4
    """Adam's, of a learned standard deviation; it falls as the policy's does."""
    min_std: float = 0.0
    """Smooth floor of the standard deviation: std = min_std + exp(log_std)."""
    critic_sees_noise: bool = False
    """Whether the critic gets the noise of the step before, which tells something of the next action."""

    def __post_init__(self) -> None:
        check_range("exploration.correlation", self.correlation, 0, 0.999)
        check_range("exploration.initial_log_std", self.initial_log_std, -10, 2)
        check_range("exploration.final_log_std", self.final_log_std, -10, 2)
        check_range("exploration.log_std_learning_rate", self.log_std_learning_rate, 0, 1)
        scheduled = self.std_schedule != "learned"
        smallest = math.exp(min(self.initial_log_std, self.final_log_std) if scheduled else self.initial_log_std)
        check_range(
            "exploration.min_std (below the standard deviation that it is a floor of)", self.min_std, 0, 0.99 * smallest
        )


@dataclass(frozen=True)
class CriticConfig:
    """The value function, which reads the simulator's state."""

    hidden: tuple[int, ...] = (300, 200)
    """Widths of its layers."""
    learning_rate: float = 1e-3
    """Adam's."""
    epochs: int = 4
    """LqrSolver over a rollout."""
    minibatches: int = 8
    """Parts of the rollout's steps, each an update."""

    def __post_init__(self) -> None:
        for width in self.hidden:
            check_range("critic.hidden", width, 1, 100_000)
        check_range("critic.learning_rate", self.learning_rate, 0, 1)
        check_range("critic.epochs", self.epochs, 1, 1000)
        check_range("critic.minibatches", self.minibatches, 1, 100_000)


@dataclass(frozen=True)
class ImitationConfig:
    """The imitation reward."""

    weight: float = 0.5
    """Lambda, between 0 (reinforcement only) and 1 (imitation only)."""
    source: Literal["discriminator", "ground-truth"] = "discriminator"
    """Ground truth puts the task's reward in the discriminator's place, which then learns and judges without being
    used_reward: for debugging either alone."""
    form: Form = "gail"
    """-log(1-D), log D ("negative") or their sum ("airl")."""
    clip: float = 10.0
    """Largest magnitude of the imitation reward."""
    centred: bool = True
    """Whether the rollout's mean is subtracted. VecEnv that are cut short are bootstrapped, so no policy gains by
    it; but the critic need not follow the reward's level, which changes with the discriminator."""
    features: Literal["object-centric", "privileged"] = "object-centric"
    """What the discriminator sees. With the whole state it watches the arm, and fails (the paper's ablation)."""
    actions: bool = False
    """Whether it also sees actions; the demonstrations must then hold them."""
    learning_rate: float = 1e-3
    """Adam's."""
    updates: int = 10
    """Updates of the discriminator an iteration."""
    batch: int = 1024
    """Steps of either kind in an update."""
    gradient_penalty: float = 0.2
    """Weight; 0 for none."""
    penalty_on: Penalty = "demonstrations"
    """Where the discriminator is kept flat: on demonstrations, or `interpolated` between these and the policy."""
    label_smoothing: float = 0.0
    """How far demonstrations' labels are below 1."""

    @property
    def discriminates(self) -> bool:
        """Whether there is a discriminator at all."""
        return self.weight > 0

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise VisuomotorError(
                "imitation.weight must be between 0 (task reward only) and 1 (imitation reward only), "
                f"not {self.weight}"
            )
        check_range("imitation.clip", self.clip, _TINY, 1e6)
        check_range("imitation.learning_rate", self.learning_rate, 0, 1)
        check_range("imitation.updates", self.updates, 0, 100_000)
        check_range("imitation.batch", self.batch, 1, 10**7)
        check_range("imitation.gradient_penalty", self.gradient_penalty, 0, 1e6)
        check_range("imitation.label_smoothing", self.label_smoothing, 0, 0.999)


@dataclass(frozen=True)
class CurriculumConfig:
    """Where training episodes start."""

    random_starts: float = 0.3
    """Share of control steps, at least, in episodes that start at random; the others start in states of demonstrations.
    1 leaves these out."""
    choice: Choice = "frontier"
    """Which demonstrated states: those from which the policy sometimes gets on, or any ("stages", as in the paper)."""
    steps: int = 60
    """Control steps of an episode that starts in a demonstrated state, at most the task's: what is left of the task is
    shorter then, and more starts are practised in the same time. Values bootstrap where it is cut."""
    patience: int | None = 10
    """Such an episode is cut too after so many steps in other stages than its first one: a block that has been dropped
    would else be most of what is practised. None: it is not."""

    def __post_init__(self) -> None:
        check_range("curriculum.random_starts", self.random_starts, 0, 1)
        check_range("curriculum.steps", self.steps, 1, _MANY)
        if self.patience is not None:
            check_range("curriculum.patience", self.patience, 1, _MANY)


@dataclass(frozen=True)
class AuxiliaryConfig:
    """The auxiliary task: to tell from an image where the objects are. It trains the vision layers."""

    lessons: int = 0
    """Updates before anything else, on random starts and demonstrated states, each image in other looks."""
    batch: int = 64
    """Images in a policy_targets. Many small lessons fit more than few large ones in the same time."""
    random_starts: float = 0.4
    """Share of random starts in a policy_targets."""
    learning_rate: float = 1e-3
    """Adam's, in lessons; it falls to nothing."""
    updates: int = 50
    """Updates in each iteration of reinforcement, each on a part of the rollout's states in other looks; 0 for none."""
    update_learning_rate: float = 3e-4
    """Adam's, of these; it falls as the policy's does."""

    def __post_init__(self) -> None:
        check_range("sight.lessons", self.lessons, 0, _MANY)
        check_range("sight.batch", self.batch, 1, 1_000_000)
        check_range("sight.random_starts", self.random_starts, 0, 1)
        check_range("sight.learning_rate", self.learning_rate, 0, 1)
        check_range("sight.updates", self.updates, 0, 1_000_000)
        check_range("sight.update_learning_rate", self.update_learning_rate, 0, 1)


@dataclass(frozen=True)
class BehaviorCloningConfig:
    """Behaviour cloning from the demonstrations' pixels, before reinforcement begins."""

    updates: int = 0
    """Gradient steps; 0 leaves it out. With control_steps 0 there is nothing else: the baseline."""
    batch: int = 8
    """Whole episodes in an update."""
    learning_rate: float = 3e-4
    """Adam's."""
    auxiliary_weight: float = 0.5
    """Weight of the error of predicted object positions (Huber's loss, in units of 0.1 m)."""
    renderings: int = 8
    """How often each demonstration is rendered, each time with other looks."""

    def __post_init__(self) -> None:
        check_range("cloning.updates", self.updates, 0, _MANY)
        check_range("cloning.batch", self.batch, 1, 1_000_000)
        check_range("cloning.learning_rate", self.learning_rate, 0, 1)
        check_range("cloning.auxiliary_weight", self.auxiliary_weight, 0, 1e6)
        check_range("cloning.renderings", self.renderings, 1, 100_000)


@dataclass(frozen=True)
class PpoGailConfig:
    """Reinforcement and imitation learning."""

    demos: Path | None = None
    """File of demonstrations (`visuomotor demos script TASK` makes one). Those that do not succeed are left out."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the networks live; `auto` takes CUDA where there is one. Physics and pixels stay on the CPU."""
    control_steps: int = 8_000_000
    """How long to train, in control steps of all worlds together."""
    worlds: int = 128
    """Copies of the task that are simulated at once (in each process)."""
    vary: bool = True
    """Whether worlds differ in looks and physics."""
    checkpoint_every: int = 40
    """Iterations."""
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    ppo: PpoConfig = field(default_factory=PpoConfig)
    exploration: ExplorationConfig = field(default_factory=ExplorationConfig)
    critic: CriticConfig = field(default_factory=CriticConfig)
    imitation: ImitationConfig = field(default_factory=ImitationConfig)
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    sight: AuxiliaryConfig = field(default_factory=AuxiliaryConfig)
    cloning: BehaviorCloningConfig = field(default_factory=BehaviorCloningConfig)

    def __post_init__(self) -> None:
        check_range("control_steps", self.control_steps, 0, _MANY)
        check_range("worlds", self.worlds, 1, 10_000_000)
        check_range("checkpoint_every", self.checkpoint_every, 1, _MANY)
        check_range("ppo.minibatches (of worlds)", self.ppo.minibatches, 1, self.worlds)
        check_range("critic.minibatches (of a rollout's steps)", self.critic.minibatches, 1, self.worlds * self.ppo.rollout)
        if self.control_steps + self.sight.lessons + self.cloning.updates == 0:
            raise VisuomotorError("this would learn nothing; give control_steps, sight.lessons or cloning.updates")

    @property
    def needs_demonstrations(self) -> bool:
        return self.imitation.discriminates or self.curriculum.random_starts < 1 or self.cloning.updates > 0


LAPTOP = PpoGailConfig(imitation=ImitationConfig(weight=0.3), sight=AuxiliaryConfig(lessons=20_000))

PRESETS: dict[str, PpoGailConfig] = {
    "laptop": LAPTOP,
    "paper": replace(
        LAPTOP,
        control_steps=100_000_000,
        worlds=256,
        ppo=PpoConfig(
            rollout=50,
            epochs=10,
            learning_rate=1e-4,
            vision_epochs=10,
            last_learning_rate=1.0,
            clip=None,
            discount=0.995,
            kl_target=0.015,
            advantage="k-step",
            entropy=0.0,
        ),
        exploration=ExplorationConfig(noise="white", correlation=0.0),
        imitation=ImitationConfig(centred=False, learning_rate=1e-4, updates=5, gradient_penalty=0.0),
        curriculum=CurriculumConfig(random_starts=0.5, choice="stages", steps=10_000, patience=None),
        sight=AuxiliaryConfig(update_learning_rate=1e-4),
    ),
    "gpu": replace(LAPTOP, control_steps=30_000_000, worlds=512, checkpoint_every=20),
}
