"""Evidence: the file that proves records offline, the reader's judgement of it, its two readers."""
