"""Services: each class implements one use case against the ports of storage and search."""
