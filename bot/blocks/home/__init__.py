"""App Home: its sections, each of which shows a part of what the person may know. Listeners import the view."""
