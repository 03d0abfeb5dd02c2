"""Other task queues doing the same nothing; each module runs in an environment that has only its framework."""
