"""How fast mailtrace is, against what its logs and its stores allow: `python -m bench`, see `make bench`.

Nothing here is imported by mailtrace or by its tests. What is measured is the product's own path: its two commands as
processes, and for stages without a command the indexer's command with another store behind it (`stores.py`).
"""
