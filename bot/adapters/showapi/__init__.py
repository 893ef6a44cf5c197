"""The showapi back end: the hosted image search, with our own ledger of what it holds."""
