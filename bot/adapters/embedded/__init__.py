"""The embedded engine: model, index and the seven operations on this machine."""
