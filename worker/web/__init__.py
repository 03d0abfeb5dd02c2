"""The gateway: a page, an HTTP API, and reports; a producer of jobs and a reader of results, never a second worker."""
