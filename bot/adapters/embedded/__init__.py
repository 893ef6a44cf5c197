"""The embedded back end: model, index, verification and storage in this process."""
