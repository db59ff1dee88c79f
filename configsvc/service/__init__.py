"""Use cases: each authorises, decides and calls the store."""
