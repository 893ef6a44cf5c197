"""The tables. Migrations build them; a test compares the two."""
