"""The only SQL: one module per noun."""
