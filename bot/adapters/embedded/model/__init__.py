"""The embedding model. The file NOTICE names the source of the built-in weights."""
