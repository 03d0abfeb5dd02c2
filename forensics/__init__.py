"""Evidence without learned weights: decoding, what is not judged, analyzers, the shared vocabulary, the registry."""
