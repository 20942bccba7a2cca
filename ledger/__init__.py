"""The transparency log: Merkle arithmetic, tiles, checkpoints, fence, witnesses, evidence files.

Everything but the fence and the directory of tiles is pure. A leaf is bytes here: ``merkle``,
``subtree``, ``multiproof``, ``tiles``, ``verified_tree``, ``leaf``, ``note``, ``checkpoint``,
``signing`` and ``fence`` import nothing else of ours.
"""
