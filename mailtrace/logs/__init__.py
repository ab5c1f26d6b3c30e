"""Log files: which ones, opened, rotated, read, and recognised in the next run."""
