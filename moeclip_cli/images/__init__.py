"""Images: finding, decoding, scaling and loading them. Every bad input is met here."""
