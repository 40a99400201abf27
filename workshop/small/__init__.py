"""Training of moeclip-small: pictures, their tokens on disk, and the parts trained on them."""
