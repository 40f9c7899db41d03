"""Tasks of the PR2: the right arm acts by torques, the left hand holds the target."""
