"""A page over an output folder, to look at images and label them: `moeclip review`."""
