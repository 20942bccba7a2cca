"""What becomes of the figures: percentiles, the machine they are of, one page."""
