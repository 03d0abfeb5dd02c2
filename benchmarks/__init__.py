"""Benchmarks: one command each, results with machine and settings beside them."""
