"""Pages for a browser: the report of a run as one file, and the demo that names photographs."""
