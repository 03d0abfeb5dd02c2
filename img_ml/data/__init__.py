"""Labelled datasets: rows, folds by source, and the views they are shown through."""
