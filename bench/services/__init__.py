"""Asking a service over HTTP, for hours: what every protocol needs, and nothing of any model."""
