"""Every figure in the docs comes from here: figure, peer or limit in the same run, ratio."""
