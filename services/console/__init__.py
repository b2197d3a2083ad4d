"""Shows it to people: reads the other services over HTTP and renders pages."""
