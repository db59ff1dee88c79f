"""What carries a commit to the clients: the relay and the hub."""
