"""Learned detectors, their weights, the device, and the engine that runs a profile over a batch."""
