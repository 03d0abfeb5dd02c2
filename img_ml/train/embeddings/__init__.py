"""Classifiers over image embeddings: extraction, training, scores."""
