"""When a file may travel: it has stood still, and its container ends where it says."""
