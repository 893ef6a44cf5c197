"""Pictures in files, in SQL or in a bucket."""
