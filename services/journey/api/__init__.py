"""What journey answers over HTTP."""
