"""Maintenance: clean-up, removal, reconciliation with a back end, and data transfer."""
