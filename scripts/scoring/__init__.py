"""Scoring a whole dataset: what to score, in which parts, and the actors that do it."""
