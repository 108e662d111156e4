"""What ``benches/compare.py`` measures, and how."""
