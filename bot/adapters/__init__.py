"""Back ends behind the visual-search port."""
