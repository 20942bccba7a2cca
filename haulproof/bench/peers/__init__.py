"""What others publish for the same work, measured beside ours; none is needed to run Haulproof."""
