"""Redis as the worker sees it: reading, finishing and acknowledging jobs, connections, dead letters, the verdict cache."""
