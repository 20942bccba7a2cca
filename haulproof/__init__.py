"""The command. Each part's own command line is mounted here, and loaded only when called."""
