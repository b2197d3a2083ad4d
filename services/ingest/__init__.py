"""Accepts touchpoints over HTTP and puts them on the stream."""
