"""Trials of a trained policy, success rates with intervals, tables, reports."""

from visuomotor.evaluation.interval import wilson_interval
from visuomotor.evaluation.outcomes import Outcomes
from visuomotor.evaluation.result import SPLITS, Result, read_results, write_result
from visuomotor.evaluation.table import markdown_table

__all__ = ["SPLITS", "Outcomes", "Result", "markdown_table", "read_results", "wilson_interval", "write_result"]
