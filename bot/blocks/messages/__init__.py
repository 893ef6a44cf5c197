"""Messages as Block Kit, one kind in each module. Pure."""
