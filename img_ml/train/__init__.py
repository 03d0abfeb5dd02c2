"""Training of the networks that nobody publishes weights of."""
