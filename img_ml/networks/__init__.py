"""Architectures of published networks, in the layout of their weights."""
