"""From a job to its result: parse, fetch, decode, batch, judge, write."""
