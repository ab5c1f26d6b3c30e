"""From log lines to stored transactions: classify, reduce, merge, write."""
