"""Train robots to act from camera pixels: images and joint readings in, motor commands out."""

__version__ = "0.1.0"
