"""Our processes as a system sees them: started, watched, asked, stopped."""
