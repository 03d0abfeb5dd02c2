"""Redis as the worker sees it: reading, finishing and acknowledging jobs, dead letters, the verdict cache."""
