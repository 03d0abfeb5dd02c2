"""Aligned fakes: real images passed through an autoencoder."""
