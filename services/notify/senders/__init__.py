"""How what was decided leaves the house: signed webhooks and e-mail."""
