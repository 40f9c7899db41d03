"""Train robots to act from camera pixels: images and joint readings in, motor commands out."""

import os

__version__ = "0.1.0"

# How long torch's threads spin while they wait for each other, in turns of a loop. Left alone they spin for
# milliseconds: with one other program on a two-core machine, training falls to a fifth of its speed. Where they never
# do (PASSIVE), an update of small networks takes twice as long. Read when torch is loaded: before any import of it.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
