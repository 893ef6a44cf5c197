"""The storage ports: the interfaces through which services, handlers and web use the storage."""
