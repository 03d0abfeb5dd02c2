"""The kinds of fusion model: gradient-boosted trees, logistic regression, a small network."""
