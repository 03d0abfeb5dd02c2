"""Evaluation: what an artifact is worth on a dataset, under changes, and for whom."""
