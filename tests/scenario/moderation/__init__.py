"""Guard channels with rules, their reports and buttons, and protected settings."""
