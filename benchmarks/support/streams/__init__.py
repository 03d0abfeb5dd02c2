"""What the stream benchmarks share."""
