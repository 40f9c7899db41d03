"""Things for robots to handle, built with MjSpec from primitives."""
