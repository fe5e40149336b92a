"""`postflow setup`: questions, each proven at once, that end in a studio file and its studio."""
