"""Presses of buttons, and choices in menus and selects, grouped by what they are about."""
