"""Where data enters the agent: CAN buses and GNSS receivers, each as batches of observations."""
