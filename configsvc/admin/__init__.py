"""The admin pages under /ui: a module per area; each view reads the form, calls the service and renders a template."""
