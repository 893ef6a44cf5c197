"""Access rules: who may see, change and delete images and databases."""
