"""Sample catalogue and demo."""
