"""Plots, pictures, videos and the report of a run."""
