"""The drive that ships with the program: a real truck recorded by the Eclipse fleet blueprint."""
