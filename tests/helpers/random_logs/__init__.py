"""Random logs of both MTAs, for the tests of properties."""
