"""Is attribution right, and does it know when it is not: measured against what the lab's clients know they did."""
