"""The inbox in SQL, with notifications and a registry of worker processes."""
