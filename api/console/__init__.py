"""The console: pages for the people who run betcore and support its players."""
