"""Redis as the worker sees it: streams, consumers, connections, dead letters, the verdict cache."""
