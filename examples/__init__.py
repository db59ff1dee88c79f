"""Programs that show configsvc at work; each can be read in a few minutes."""
