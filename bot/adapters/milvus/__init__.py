"""The Milvus back end: a distributed engine searches copies of the vectors; everything else stays in SQL."""
