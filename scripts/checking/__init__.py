"""Checking images by hand: what to read, how to tell it."""
