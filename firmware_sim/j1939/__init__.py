"""J1939 as the bench truck speaks it: values to frames, and enough of the way back to know them.

The layouts are written here a second time, apart from the agent's own: an error in one of the two
then shows, instead of cancelling itself out.
"""
