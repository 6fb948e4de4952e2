"""The course for whoever takes it: copies to work in, what is done and what is next, short ways."""
