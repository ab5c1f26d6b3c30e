"""A transaction and its document: facts, their order, and the fields derived from them."""
