"""Evidence that needs no learned weights: decoding, analyzers, the shared vocabulary and the registry."""
