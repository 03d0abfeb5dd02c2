"""Heads on the first blocks of CLIP's ViT-B/16: the published weights, tokens, heads, and the graph of all."""
