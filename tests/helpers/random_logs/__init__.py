"""Random logs of both MTAs, for property tests."""
