"""The storage ports: all that services, handlers and web see of storage."""
