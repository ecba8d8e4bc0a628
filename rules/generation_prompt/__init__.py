"""The generation prompt: what add_generation_prompt adds, and whether it is how an assistant turn opens."""
