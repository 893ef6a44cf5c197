"""Opens the search back ends. Each module loads the libraries of one, so ``registry`` imports it late."""
