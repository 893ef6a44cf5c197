"""Who may see and delete what."""
