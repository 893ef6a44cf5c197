"""What all SQL storage shares: engine, dialects, locks, schema and migrations."""
