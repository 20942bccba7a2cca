"""The transparency log: Merkle arithmetic, tiles, checkpoints, the fence, and evidence files.

Everything but the fence is pure. A leaf is bytes here: ``merkle``, ``subtree``, ``multiproof``,
``tiles``, ``leaf``, ``note``, ``checkpoint``, ``signing`` and ``fence`` import nothing else of
ours.
"""
