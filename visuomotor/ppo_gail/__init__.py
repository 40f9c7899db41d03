"""Reinforcement and imitation together: PPO on a hybrid of task and imitation reward (Zhu et al. 2018)."""
