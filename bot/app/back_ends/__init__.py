"""Opens the search back ends: one module for each, and ``registry`` to open them by name."""
