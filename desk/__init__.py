"""What staff work at: the dashboard, notes and tasks, saved views, search from everywhere."""
