"""What happens to money: one transaction loads, decides and writes a batch of commands."""
