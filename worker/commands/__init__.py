"""The worker's small commands: `status` and `dlq`."""
