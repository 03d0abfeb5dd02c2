"""Trained artifacts: on disk, in force, and swapped while a worker runs."""
