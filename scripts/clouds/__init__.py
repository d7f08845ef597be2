"""Stub servers of cloud services, and the cases of docs/clouds.md."""
