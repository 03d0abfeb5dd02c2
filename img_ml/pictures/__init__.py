"""Pictures for people: heatmaps and contact sheets."""
