"""The pure derivation: segments in, trips out. Imports numpy and schemas, nothing else."""
