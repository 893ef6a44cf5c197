"""Features that compare pictures: fingerprints, content boxes, local features, geometry and differences."""
