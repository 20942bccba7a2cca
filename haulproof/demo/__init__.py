"""The main job once: every part as its own process, started by the commands a person would type."""
