"""Training of the fusion: features, heads, folds, and the report on the result."""
