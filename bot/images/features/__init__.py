"""What pictures are compared by: fingerprints, local features and geometry."""
