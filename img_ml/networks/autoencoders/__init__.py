"""Autoencoders, and what they change in an image."""
