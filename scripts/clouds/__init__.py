"""Servers of the clouds for tests, and the cases of docs/clouds.md."""
