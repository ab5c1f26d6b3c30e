"""What a search asks: queries, patterns and groups, the specification for every store."""
