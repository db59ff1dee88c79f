"""Pictures of the admin pages, with sample data that tell something: ``make pages``."""
