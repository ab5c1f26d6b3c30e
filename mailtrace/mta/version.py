"""The version of the grammars, in a module of its own because a search imports no grammar."""

from typing import Final

GRAMMAR_VERSION: Final = 2
"""Raise it when the same lines make another document: when a rule parses more, or differently, in a grammar, or when
`message/` derives another field, outcome or ID from them. Stores keep it; 0 stands for mailtrace 0.1, which kept none.
"""
