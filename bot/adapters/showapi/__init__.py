"""The hosted service as a back end."""
