"""Open modals and validate their fields."""
