"""Everything on one machine: embedded Postgres and Valkey, the service and its relay, under one supervisor."""
