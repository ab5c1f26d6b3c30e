"""From logs to stored transactions: reading, reducing, merging, writing."""
