"""The vocabulary: signals, statements, segments and messages, as bytes and as types.

Pure: nothing here reads a clock, a file or a socket, and nothing of ours is imported.
"""
