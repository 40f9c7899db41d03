"""Plots, pictures and videos."""
