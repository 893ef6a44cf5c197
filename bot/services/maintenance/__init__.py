"""Keep catalogue, back end and storage in order."""
