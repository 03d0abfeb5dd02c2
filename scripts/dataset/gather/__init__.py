"""Crops gathered from local clones of public repositories."""
