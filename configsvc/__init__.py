"""configsvc: versioned settings in Postgres, pushed to running applications."""

__version__ = "0.1.0"
