"""Thin commands over the packages: dataset tools, bulk work, generated documentation."""
