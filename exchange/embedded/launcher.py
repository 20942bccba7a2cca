"""Becomes a server that ends with its parent, as another user when asked.

Run as a file, not imported: ``python -I -S launcher.py SIGNAL UID GID PROGRAM [ARGUMENT…]``; UID
and GID are ``-`` to stay who we are. The working folder is inherited and is never looked up by
path, so it may lie under folders that the other user can't enter. Exits 126 when something is not
allowed.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Drop to the user, ask for the signal at the parent's death, become the program."""
    signal_number, uid, gid, program, *rest = arguments
    parent = os.getppid()
    try:
        if uid != "-":
            os.setgroups([])
            os.setresgid(int(gid), int(gid), int(gid))
            os.setresuid(int(uid), int(uid), int(uid))
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal_number)) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
        if os.getppid() != parent:
            return 126
        os.execv(program, [program, *rest])  # noqa: S606 - the program is one of our wheels
    except OSError as error:
        print(f"cannot become {program}: {error.strerror}", file=sys.stderr)
    return 126


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
