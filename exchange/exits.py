"""What ends a command before its work is done: one sentence for a person, one exit code."""


class CommandStopped(Exception):
    """Base: the text is one sentence that says what to do; ``code`` is the exit code."""

    code = 1


class WrongUsage(CommandStopped):
    """An option, a file or a setting is wrong (exit 2)."""

    code = 2


class EnvironmentUnfit(CommandStopped):
    """A port, a permission, a disk, a broker or a database stands in the way (exit 3)."""

    code = 3
