"""The portal and its operator API, over HTTP."""
