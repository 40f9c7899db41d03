"""Train robots to act from camera pixels: images and joint readings in, motor commands out."""

import os

__version__ = "0.1.0"

# Torch's threads otherwise spin while they wait for each other: with one other program on a two-core machine, training
# falls to a fifth of its speed. Read when torch is loaded, so it stands here, before any import of it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
