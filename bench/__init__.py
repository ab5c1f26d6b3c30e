"""Measure how fast mailtrace is, compared with other programs and with the limits of its stores: see `make bench`.

Neither mailtrace nor its tests import this package. It runs the two commands as processes. Stages that have no command
of their own are measured by running the indexer with another store (`stores.py`).
"""
