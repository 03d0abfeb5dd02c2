"""Training of the small autoencoders."""
