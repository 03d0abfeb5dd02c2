"""What the dataset commands share: layouts of folders, facts of files, near duplicates, splits, shortcuts."""
