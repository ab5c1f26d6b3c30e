"""Log files: choose, open, order and read them, date their lines, and recognise them in the next run."""
