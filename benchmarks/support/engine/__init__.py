"""What the engine benchmarks share."""
