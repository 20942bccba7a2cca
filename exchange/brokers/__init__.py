"""What a broker of the operator's own is told, so that devices may do what they may do at ours."""
