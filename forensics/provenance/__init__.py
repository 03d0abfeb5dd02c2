"""What a file declares about its own origin, one module per family of carriers; positive evidence only."""
