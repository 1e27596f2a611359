"""Speed, side by side with its floors: `make bench`."""
