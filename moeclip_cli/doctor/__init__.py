"""What `moeclip doctor` looks at: what is installed, the machine, a model running on it."""
