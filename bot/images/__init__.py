"""Pictures in: fetching, verifying, and what can be measured of them."""
