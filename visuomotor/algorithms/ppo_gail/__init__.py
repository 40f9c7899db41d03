"""Reinforcement and imitation together: PPO on a hybrid of task and imitation reward (Zhu et al. 2018)."""

from visuomotor.algorithms.ppo_gail.config import PRESETS, PpoGailConfig
from visuomotor.algorithms.ppo_gail.ppo_gail import PpoGail

__all__ = ["PRESETS", "PpoGail", "PpoGailConfig"]
