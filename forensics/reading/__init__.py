"""Reading strangers' files: what they are, their pixels, their metadata."""
