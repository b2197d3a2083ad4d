"""What it costs to tell a workspace again, beside a bare loop over the same rows."""
