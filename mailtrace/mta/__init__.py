"""The grammars of the mail servers' lines: one file a server, and the vocabulary that they share."""
