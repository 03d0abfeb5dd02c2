"""Hand-made forensic features that were tried beside the network, a family a file; pixels in, numbers out."""
