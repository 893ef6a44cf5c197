"""The tables and their column types. Migrations create the tables; a test checks that both agree."""
