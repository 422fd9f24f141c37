"""Speed as ratios, measured side by side in one run: a slow machine slows both sides."""
