"""Measurements: ratios of things run side by side, never asserted in tests."""
