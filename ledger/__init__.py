"""The transparency log: Merkle arithmetic, tiles, checkpoints, fence, witnesses, evidence files.

Everything but the fence is pure. A leaf is bytes here: ``merkle``, ``multiproof``, ``tiles``,
``leaf``, ``note``, ``checkpoint``, ``signing`` and ``fence`` import nothing else of ours.
"""
