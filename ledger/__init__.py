"""The transparency log: Merkle arithmetic, checkpoints, receipts, evidence and its verification."""
