"""Evidence that needs no learned weights: decoding, which images are not to be judged, analyzers, the shared vocabulary and the registry."""
