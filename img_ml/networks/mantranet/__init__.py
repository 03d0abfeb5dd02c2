"""ManTra-Net: whole images, and tile by tile."""
