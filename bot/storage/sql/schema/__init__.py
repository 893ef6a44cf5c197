"""The tables. Migrations create them; a test checks that both agree."""
