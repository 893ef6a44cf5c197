"""Search back ends, and the ``VisualSearch`` port that they implement."""
