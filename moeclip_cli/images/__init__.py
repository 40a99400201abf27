"""Images: decoding, encoding, preprocessing and loading, with errors for every invalid input."""
