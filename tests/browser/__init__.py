"""The console in a real browser, as people see and use it."""
