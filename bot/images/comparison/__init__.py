"""The comparison picture: two pictures side by side, one aligned with the other, and what differs between them."""
