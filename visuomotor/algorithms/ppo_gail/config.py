"""Every setting of reinforcement and imitation learning, and its presets."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from visuomotor.errors import VisuomotorError
from visuomotor.runs.config import Range, check_range, check_settings

_MANY = 10**12
_TINY = 1e-9


@dataclass(frozen=True)
class PolicyConfig:
    """The network that acts."""

    image_size: Annotated[int, Range(20, 1024)] = 64
    """Side of the square images in pixels."""
    supersampling: Annotated[int, Range(1, 8)] = 1
    """Rays along each side of a pixel."""
    recurrent: bool = True
    """Whether the policy has an LSTM; if not, a feedforward layer of the same width replaces it."""


@dataclass(frozen=True)
class PpoConfig:
    """The policy's update."""

    num_steps: Annotated[int, Range(1, 100_000)] = 25
    """Control steps of a rollout; backpropagation through time goes as far."""
    num_epochs: Annotated[int, Range(1, 1000)] = 4
    """Passes over a rollout."""
    num_minibatches: Annotated[int, Range(1, 100_000)] = 4
    """Parts of the worlds, each an update."""
    learning_rate: Annotated[float, Range(0, 1)] = 7e-4
    """Learning rate of Adam."""
    vision_epochs: Annotated[int, Range(0, 1000)] = 1
    """How many of the epochs, the last ones, train the vision layers too. In the others image features are those of the
    rollout, which saves most of the time of an epoch."""
    vision_learning_rate: Annotated[float, Range(0, 1)] = 1e-4
    """Learning rate of Adam for the vision layers."""
    final_lr_fraction: Annotated[float, Range(_TINY, 1)] = 0.05
    """Learning rates fall geometrically to this fraction. The less noise a policy has, the farther a step of the same
    length moves it."""
    clip_range: Annotated[float | None, Range(_TINY, 100)] = 0.2
    """How far a probability ratio may go before its gradient is cut; None for the KL penalty alone, as in the paper."""
    target_kl: Annotated[float, Range(_TINY, 100)] = 0.02
    """Nats a step that an iteration should move the policy; the penalty's coefficient follows."""
    gamma: Annotated[float, Range(0, 1)] = 0.99
    """Discount per control step."""
    gae_lambda: Annotated[float, Range(0, 1)] = 0.95
    """Lambda of generalised advantages: 1 sums rewards over the rollout (the paper's K-step return), 0 trusts the
    critic after a step."""
    entropy_coef: Annotated[float, Range(0, 100)] = 0.0
    """Weight of the policy's entropy at first; it falls linearly to 0."""
    max_grad_norm: Annotated[float, Range(_TINY, 1e9)] = 1.0
    """Norm that gradients are cut to."""


@dataclass(frozen=True)
class ExplorationConfig:
    """Exploration noise."""

    noise: Literal["white", "marginal", "carried", "exact"] = "carried"
    """`white`: independent from step to step (the paper's); the correlation is not used. `marginal`: correlated in
    time, with the density of white noise in PPO's ratio. `carried`: correlated, with its density given the noise of the
    step before, which an update holds fixed. `exact`: correlated, with its true density. The policy gradient of
    `marginal` and `carried` is biased, that of `exact` is not."""
    correlation: Annotated[float, Range(0, 0.999)] = 0.8
    """AR(1) coefficient of the noise from one control step to the next, 0 to below 1. White noise at 20 Hz averages out
    before the arm moves."""
    initial_log_std: Annotated[float, Range(-10, 2)] = -1.0
    """Logarithm of the first standard deviation of every action, in parts of its limit."""
    log_std_learning_rate: Annotated[float, Range(0, 1)] = 7e-4
    """Learning rate of Adam for the standard deviations; it falls as the policy's does."""
    critic_sees_noise: bool = False
    """Whether the critic gets the noise of the step before, with which the next action's noise is correlated."""


@dataclass(frozen=True)
class CriticConfig:
    """The value function, which reads the simulator's state."""

    hidden: Annotated[tuple[int, ...], Range(1, 100_000)] = (300, 200)
    """Widths of its layers."""
    learning_rate: Annotated[float, Range(0, 1)] = 1e-3
    """Learning rate of Adam."""
    num_epochs: Annotated[int, Range(1, 1000)] = 4
    """Passes over a rollout."""
    num_minibatches: Annotated[int, Range(1, 100_000)] = 8
    """Parts of the rollout's steps, each an update."""


@dataclass(frozen=True)
class ImitationConfig:
    """The imitation reward (GAIL)."""

    weight: Annotated[float, Range(0, 1)] = 0.5
    """Lambda, between 0 (reinforcement only) and 1 (imitation only)."""
    reward_source: Literal["discriminator", "task"] = "discriminator"
    """`task`: use the task reward in place of the GAIL reward; the discriminator is still trained and logged
    (debugging)."""
    reward_type: Literal["gail", "airl"] = "gail"
    """-log(1-D), or log D - log(1-D)."""
    clip: Annotated[float, Range(_TINY, 1e6)] = 10.0
    """Largest magnitude of the imitation reward."""
    center_reward: bool = True
    """Whether the rollout's mean is subtracted. Episodes that are cut short are bootstrapped, so no policy gains by
    it; but the critic need not follow the reward's level, which changes with the discriminator."""
    features: Literal["object-centric", "privileged"] = "object-centric"
    """What the discriminator sees. With the whole state it watches the arm, and fails (the paper's ablation)."""
    actions: bool = False
    """Whether it also sees actions; the demonstrations must then hold them."""
    learning_rate: Annotated[float, Range(0, 1)] = 1e-3
    """Learning rate of Adam."""
    num_updates: Annotated[int, Range(0, 100_000)] = 10
    """Updates of the discriminator an iteration."""
    batch_size: Annotated[int, Range(1, 10**7)] = 1024
    """Steps of demonstrations, and as many of the policy, in an update."""
    gradient_penalty: Annotated[float, Range(0, 1e6)] = 0.2
    """Weight of the penalty on demonstrations; 0 for none."""

    @property
    def discriminates(self) -> bool:
        """Whether there is a discriminator at all."""
        return self.weight > 0


@dataclass(frozen=True)
class CurriculumConfig:
    """Where training episodes start."""

    random_start_fraction: Annotated[float, Range(0, 1)] = 0.3
    """Fraction of control steps, at least, in episodes that start at random; the others start in states of
    demonstrations. 1 leaves these out."""
    strategy: Literal["intermediate-difficulty", "stages"] = "intermediate-difficulty"
    """Which demonstration states: those from which the policy sometimes advances (`intermediate-difficulty`), or any
    (`stages`, the paper's)."""
    max_episode_steps: Annotated[int, Range(1, _MANY)] = 60
    """Control steps of an episode that starts in a demonstration state, at most the task's. Values bootstrap where it
    is cut."""
    early_termination_steps: Annotated[int | None, Range(1, _MANY)] = 10
    """End such an episode after this many steps outside its first stage: else what follows a dropped block would be
    most of the experience. None: do not."""


@dataclass(frozen=True)
class AuxiliaryConfig:
    """The auxiliary task: predict the keypoints' positions from an image. It trains the vision layers."""

    pretraining_updates: Annotated[int, Range(0, _MANY)] = 0
    """Updates before anything else, on random starts and demonstration states, each image with an appearance of its
    own."""
    batch_size: Annotated[int, Range(1, 1_000_000)] = 64
    """Images in such an update. Many small updates teach more than few large ones in the same time."""
    random_start_fraction: Annotated[float, Range(0, 1)] = 0.4
    """Fraction of random starts in it."""
    learning_rate: Annotated[float, Range(0, 1)] = 3e-3
    """Largest learning rate of Adam in pretraining; it rises in a twentieth of the updates and falls along a cosine."""
    updates_per_iteration: Annotated[int, Range(0, 1_000_000)] = 50
    """Updates in each iteration of reinforcement, each on a part of the rollout's states with a new appearance; 0 for
    none."""
    update_learning_rate: Annotated[float, Range(0, 1)] = 3e-4
    """Learning rate of Adam for these; it falls as the policy's does."""


@dataclass(frozen=True)
class BehaviorCloningConfig:
    """Behaviour cloning from the demonstrations' pixels, before reinforcement begins."""

    num_updates: Annotated[int, Range(0, _MANY)] = 0
    """Gradient steps; 0 leaves it out. With total_steps 0 there is nothing else: the baseline."""
    batch_size: Annotated[int, Range(1, 1_000_000)] = 8
    """Whole episodes in an update."""
    learning_rate: Annotated[float, Range(0, 1)] = 3e-4
    """Learning rate of Adam."""
    auxiliary_weight: Annotated[float, Range(0, 1e6)] = 0.5
    """Weight of the error of predicted keypoints (their distance, in units of 0.1 m)."""
    renders_per_demo: Annotated[int, Range(1, 100_000)] = 8
    """How often each demonstration is rendered, each time with another appearance."""


@dataclass(frozen=True)
class PpoGailConfig:
    """Reinforcement and imitation learning."""

    demos: Path | None = None
    """File of demonstrations (`visuomotor demos generate TASK` makes one). Those that do not succeed are left out."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the networks are; `auto` takes CUDA where there is one. Physics and pixels stay on the CPU."""
    total_steps: Annotated[int, Range(0, _MANY)] = 8_000_000
    """How long to train, in control steps of all worlds together."""
    num_envs: Annotated[int, Range(1, 10_000_000)] = 128
    """Worlds that are simulated at once (in each process)."""
    randomize: bool = True
    """Whether starts deviate, and worlds differ in dynamics and appearance."""
    save_interval: Annotated[int, Range(1, _MANY)] = 40
    """Iterations between checkpoints."""
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    ppo: PpoConfig = field(default_factory=PpoConfig)
    exploration: ExplorationConfig = field(default_factory=ExplorationConfig)
    critic: CriticConfig = field(default_factory=CriticConfig)
    imitation: ImitationConfig = field(default_factory=ImitationConfig)
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    auxiliary: AuxiliaryConfig = field(default_factory=AuxiliaryConfig)
    behavior_cloning: BehaviorCloningConfig = field(default_factory=BehaviorCloningConfig)

    def __post_init__(self) -> None:
        check_settings(self)
        check_range("ppo.vision_epochs (of ppo.num_epochs)", self.ppo.vision_epochs, 0, self.ppo.num_epochs)
        check_range("ppo.num_minibatches (of num_envs)", self.ppo.num_minibatches, 1, self.num_envs)
        steps = self.num_envs * self.ppo.num_steps
        check_range("critic.num_minibatches (of a rollout's steps)", self.critic.num_minibatches, 1, steps)
        if self.total_steps + self.auxiliary.pretraining_updates + self.behavior_cloning.num_updates == 0:
            raise VisuomotorError(
                "this would learn nothing; give total_steps, auxiliary.pretraining_updates or "
                "behavior_cloning.num_updates"
            )

    @property
    def needs_demonstrations(self) -> bool:
        cloning = self.behavior_cloning.num_updates > 0
        return self.imitation.discriminates or self.curriculum.random_start_fraction < 1 or cloning


LAPTOP = PpoGailConfig(imitation=ImitationConfig(weight=0.3), auxiliary=AuxiliaryConfig(pretraining_updates=20_000))

PRESETS: dict[str, PpoGailConfig] = {
    "laptop": LAPTOP,
    # The paper gives the imitation's weight and clipping, K-step returns, a KL penalty and the curriculum of stages;
    # learning rates and the counts of worlds, steps and epochs are ours.
    "paper": replace(
        LAPTOP,
        total_steps=100_000_000,
        num_envs=256,
        ppo=PpoConfig(
            num_steps=50,
            num_epochs=10,
            learning_rate=1e-4,
            vision_epochs=10,
            final_lr_fraction=1.0,
            clip_range=None,
            gamma=0.995,
            target_kl=0.015,
            gae_lambda=1.0,
        ),
        exploration=ExplorationConfig(noise="white", correlation=0.0),
        imitation=ImitationConfig(center_reward=False, learning_rate=1e-4, num_updates=5, gradient_penalty=0.0),
        curriculum=CurriculumConfig(
            random_start_fraction=0.5, strategy="stages", max_episode_steps=10_000, early_termination_steps=None
        ),
        auxiliary=AuxiliaryConfig(update_learning_rate=1e-4),
    ),
    "gpu": replace(LAPTOP, total_steps=30_000_000, num_envs=512, save_interval=20),
}
