"""Commands for databases and images."""
