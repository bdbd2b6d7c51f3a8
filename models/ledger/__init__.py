"""What happens to money: a batch of commands is loaded, decided and written in one transaction."""
