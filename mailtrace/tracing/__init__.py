"""The way of a message across hosts."""
