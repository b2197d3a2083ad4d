"""What one person's touch costs their account, as the account grows."""
