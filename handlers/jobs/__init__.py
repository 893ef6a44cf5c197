"""Jobs: run what workers claim from the inbox."""
