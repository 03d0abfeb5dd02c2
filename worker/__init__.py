"""The long-running worker: Redis stream in, verdicts out."""
