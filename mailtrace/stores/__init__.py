"""Where transactions are kept: one file a store, behind the protocol of `base.py`."""
