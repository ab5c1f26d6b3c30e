"""The grammars of the mail servers' lines: one folder a server, and the vocabulary that they share."""
