"""What people see of a run: console, progress, figures."""
