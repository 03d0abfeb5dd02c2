"""What the benchmarks share: servers and processes that end with the command, and the result file."""
