"""The published systems against figures that their authors' own code gave, on equal weights and equal images."""
