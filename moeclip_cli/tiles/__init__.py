"""Parts of an image at full resolution, and how their maps become one."""
