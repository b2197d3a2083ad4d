"""What a timer costs that fires and is armed again, beside a bare loop."""
