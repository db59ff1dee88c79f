"""The commands: one module per noun or group of verbs, each imported only when its command is called."""
