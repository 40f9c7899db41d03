"""Robots, built with MjSpec from primitives and published numbers."""
